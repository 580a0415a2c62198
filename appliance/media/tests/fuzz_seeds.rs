//! What the fuzz targets do, with their seeds: records and tags of real encoders, and one file for each fault ever
//! found.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../../fuzz/src/media.rs"]
#[allow(unreachable_pub, reason = "a module of the fuzz targets' crate")]
mod media;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let seeds: Vec<_> = files.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect();
    assert!(seeds.len() >= 20, "seeds of {target} are missing");
    seeds
}

#[test]
fn packets() {
    for (name, seed) in seeds("media_packets") {
        println!("{name}");
        media::packets(&seed);
    }
}

#[test]
fn flv() {
    for (name, seed) in seeds("media_flv") {
        println!("{name}");
        media::flv(&seed);
    }
}

#[test]
fn configuration() {
    for (name, seed) in seeds("media_config") {
        println!("{name}");
        media::config_and_frame(&seed);
    }
}

/// A seed with some bytes changed and its end cut off or repeated.
fn damaged(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<_> = seeds(target).into_iter().map(|(_, seed)| seed).collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (prop::sample::select(seeds), changes, any::<prop::sample::Index>()).prop_map(|(mut seed, changes, end)| {
        for (at, byte) in changes {
            let at = at.index(seed.len());
            seed[at] ^= byte;
        }
        let repeated = seed.clone();
        seed.extend(repeated);
        seed.truncate(end.index(seed.len()) + 1);
        seed
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn damaged_packets(data in damaged("media_packets")) {
        media::packets(&data);
    }

    #[test]
    fn damaged_flv(data in damaged("media_flv")) {
        media::flv(&data);
    }

    #[test]
    fn damaged_configuration(data in damaged("media_config")) {
        media::config_and_frame(&data);
    }

    #[test]
    fn any_bytes(data in prop::collection::vec(any::<u8>(), 0..300)) {
        media::packets(&data);
        media::flv(&data);
        media::config_and_frame(&data);
    }
}
