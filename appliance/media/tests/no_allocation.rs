//! What runs for every frame of a stream takes no memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use brookbox_media::{FourCc, Media, NalLength, annex_b, config, length_prefixed, packets, summary};

#[test]
fn reading_a_tag_body_allocates_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/media_packets");
    let bodies: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    let mut seen = 0;
    let taken = allocation_counter::measure(|| {
        for body in &bodies {
            for media in [Media::Video, Media::Audio, Media::Data] {
                seen += packets(media, body).count() + usize::from(summary(media, body).track);
            }
            seen += length_prefixed(body, NalLength::Four).count() + annex_b(body).count();
        }
    });
    assert!(seen > 3 * bodies.len(), "nothing was read");
    assert_eq!(taken.count_total, 0);
}

#[test]
fn a_hostile_record_takes_no_more_memory_than_an_honest_one() {
    for codec in [FourCc::AVC, FourCc::HEVC, FourCc::AV1, FourCc::VP9, FourCc::AAC, FourCc::OPUS, FourCc::FLAC] {
        for fill in [0x00, 0x01, 0x55, 0xff] {
            let mut record = vec![fill; 1 << 20];
            if let Some(first) = record.first_mut() {
                *first = if codec == FourCc::AV1 { 0x81 } else { 1 };
            }
            let taken = allocation_counter::measure(|| drop(config(codec, &record)));
            assert!(taken.bytes_max < 1024, "{codec} {fill:#x}: {taken:?}");
        }
    }
}
