//! What the fuzz target does, with its seeds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/board.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz targets' crate")]
mod board;

use std::fs;
use std::path::Path;

#[test]
fn first_boot() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/first_boot");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 16, "seeds are missing");
    for path in files {
        println!("{}", path.display());
        let seed = fs::read(&path).unwrap();
        board::first_boot(&seed);
        // Cut anywhere, and with a byte changed anywhere.
        for at in 0..seed.len() {
            board::first_boot(seed.get(..at).unwrap());
            let mut changed = seed.clone();
            *changed.get_mut(at).unwrap() ^= 0x21;
            board::first_boot(&changed);
        }
    }
}
