//! Every file in `appliance/fuzz/seeds` that the store or the vault reads, run through its fuzz target.
#![allow(clippy::unwrap_used, clippy::print_stdout, unreachable_pub, reason = "a test panics where it fails")]

#[path = "../../fuzz/src/files.rs"]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = format!("{}/../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        // Which one it was, for the one that panics.
        println!("{}", file.display());
        run(&std::fs::read(file).unwrap());
    }
}

#[test]
fn export() {
    replay("export", targets::export);
}

#[test]
fn profile() {
    replay("profile", targets::profile);
}
