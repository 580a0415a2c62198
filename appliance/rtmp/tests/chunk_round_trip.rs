//! What is written as chunks is read as the same messages: any order of chunks, any sizes, any times.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{
    Message,
    chunk::{self, Reader, Writer},
    kind,
};
use common::{GENEROUS, message};
use proptest::prelude::*;

const CSIDS: [u32; 7] = [3, 4, 63, 64, 319, 320, 65_599];

/// Times near everything that is special about them.
fn timestamp() -> impl Strategy<Value = u32> {
    prop_oneof![0..3u32, 0x00ff_fff0..0x0100_0010u32, 0xffff_fff0..=u32::MAX, any::<u32>()]
}

fn any_message() -> impl Strategy<Value = Message> {
    let kind = prop_oneof![Just(kind::AUDIO), Just(kind::VIDEO), Just(kind::DATA), Just(kind::COMMAND), Just(99u8)];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..400),
        (0usize..3000).prop_map(|len| vec![0xc4; len]),
        // Looks like the extended timestamp of chunks in between.
        (0usize..300).prop_map(|len| vec![0xff; len]),
    ];
    (kind, prop_oneof![Just(0u32), Just(1), any::<u32>()], timestamp(), body)
        .prop_map(|(kind, stream_id, timestamp, body)| Message { kind, stream_id, timestamp, body })
}

/// Reads in pieces.
fn read(bytes: &[u8], pieces: &[usize]) -> Vec<Message> {
    let mut reader = Reader::new(GENEROUS);
    let mut pieces = pieces.iter().cycle();
    let (mut at, mut messages) = (0, Vec::new());
    while at < bytes.len() {
        let end = bytes.len().min(at + pieces.next().unwrap());
        let mut piece = &bytes[at..end];
        while let Some(message) = reader.read(&mut piece).unwrap() {
            messages.push(message);
        }
        assert!(piece.is_empty());
        at = end;
    }
    messages
}

proptest! {
    /// Chunks of up to seven messages at a time in any order, chunk size changes in between, headers of all types.
    #[test]
    fn interleaved(
        queues in prop::collection::vec(prop::collection::vec(any_message(), 0..8), CSIDS.len()),
        order in prop::collection::vec((0..CSIDS.len(), prop::option::weighted(0.05, 1u32..5000)), 1..2000),
        pieces in prop::collection::vec(1usize..300, 1..20),
    ) {
        let (mut writer, mut bytes, mut chunk_size) = (Writer::new(), Vec::new(), 128);
        let mut next = [0; CSIDS.len()];
        let mut open: Vec<Option<chunk::Chunks<'_>>> = (0..CSIDS.len()).map(|_| None).collect();
        let rest = (0..CSIDS.len()).flat_map(|stream| std::iter::repeat_n((stream, None), 10_000));
        let mut expected: Vec<Message> = Vec::new();
        for (stream, new_size) in order.into_iter().chain(rest) {
            if let Some(size) = new_size {
                let change = message(kind::SET_CHUNK_SIZE, 0, 0, &size.to_be_bytes());
                writer.write(&mut bytes, 2, &change, chunk_size);
                expected.push(change);
                chunk_size = size as usize;
            }
            if open[stream].is_none() {
                let Some(message) = queues[stream].get(next[stream]) else { continue };
                open[stream] = Some(writer.chunks(CSIDS[stream], message));
            }
            let chunks = open[stream].as_mut().unwrap();
            let before = bytes.len();
            prop_assert!(chunks.write_next(&mut bytes, chunk_size));
            // The message ended with this chunk if there is no more.
            if chunks.is_done() {
                prop_assert!(bytes.len() > before);
                expected.push(queues[stream][next[stream]].clone());
                next[stream] += 1;
                open[stream] = None;
            }
        }
        for (stream, queue) in queues.iter().enumerate() {
            prop_assert_eq!(next[stream], queue.len());
        }
        prop_assert_eq!(read(&bytes, &pieces), expected);
    }

    /// Stateless writing: the length is as foretold, every reader takes it, whatever came before.
    #[test]
    fn stateless(
        messages in prop::collection::vec((2u8..64, any_message(), 1usize..4000), 1..20),
        pieces in prop::collection::vec(1usize..5000, 1..20),
    ) {
        let (mut bytes, mut expected, mut size_before) = (Vec::new(), Vec::new(), 128);
        for (csid, message, chunk_size) in messages {
            let change = common::message(kind::SET_CHUNK_SIZE, 0, 0, &(chunk_size as u32).to_be_bytes());
            chunk::write_message(&mut bytes, 2, change.kind, 0, 0, &change.body, size_before);
            size_before = chunk_size;
            expected.push(change);
            let before = bytes.len();
            let Message { kind, stream_id, timestamp, body } = &message;
            chunk::write_message(&mut bytes, csid, *kind, *stream_id, *timestamp, body, chunk_size);
            prop_assert_eq!(bytes.len() - before, chunk::encoded_len(body.len(), *timestamp, chunk_size));
            let (header, len) = chunk::header(csid, *kind, *stream_id, *timestamp, body.len());
            prop_assert_eq!(&bytes[before..before + len], &header[..len]);
            expected.push(message);
        }
        prop_assert_eq!(read(&bytes, &pieces), expected);
    }
}

#[test]
fn headers_are_as_short_as_they_may_be() {
    let mut writer = Writer::new();
    let mut format = |csid, message: &Message| {
        let mut bytes = Vec::new();
        writer.write(&mut bytes, csid, message, 128);
        bytes[0] >> 6
    };
    assert_eq!(format(4, &message(8, 1, 1000, b"aa")), 0, "the first of its chunk stream");
    assert_eq!(format(4, &message(8, 1, 1020, b"bb")), 2, "only the time differs");
    assert_eq!(format(4, &message(8, 1, 1040, b"cc")), 3, "the difference of times is the same too");
    assert_eq!(format(4, &message(8, 1, 1060, b"ddd")), 1, "the length differs");
    assert_eq!(format(4, &message(9, 1, 1080, b"eee")), 1, "the kind differs");
    assert_eq!(format(4, &message(9, 2, 1100, b"fff")), 0, "the stream differs");
    assert_eq!(format(4, &message(9, 2, 1099, b"ggg")), 0, "time goes back");
    assert_eq!(format(5, &message(9, 2, 1099, b"ggg")), 0, "another chunk stream");
}

/// RTMP 1.0 §5.3.2.2, the two examples of the specification.
#[test]
fn examples_of_the_specification() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new();
    for timestamp in [1000, 1020, 1040, 1060] {
        writer.write(&mut bytes, 3, &message(8, 12345, timestamp, &[0xaa; 32]), 128);
    }
    // Chunk lengths 44, 36, 33, 33.
    assert_eq!(bytes.len(), 44 + 36 + 33 + 33);
    let starts = [0, 44, 44 + 36, 44 + 36 + 33].map(|at| bytes[at]);
    assert_eq!(starts, [0x03, 0x83, 0xc3, 0xc3]);

    let mut bytes = Vec::new();
    Writer::new().write(&mut bytes, 4, &message(9, 12346, 1000, &[0xbb; 307]), 128);
    // Chunk lengths 140, 129, 52.
    assert_eq!(bytes.len(), 140 + 129 + 52);
    assert_eq!([0, 140, 140 + 129].map(|at| bytes[at]), [0x04, 0xc4, 0xc4]);
}
