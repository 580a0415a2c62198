//! Chunks as peers of the field write them, and as broken ones do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{
    ErrorKind, Message,
    chunk::{Limits, Reader},
    kind,
};
use common::GENEROUS;

fn read_all(bytes: &[u8]) -> Result<Vec<Message>, ErrorKind> {
    read_with(GENEROUS, bytes)
}

/// Reads at once and byte by byte, which has to come to the same.
fn read_with(limits: Limits, bytes: &[u8]) -> Result<Vec<Message>, ErrorKind> {
    let whole = {
        let mut reader = Reader::new(limits);
        let mut rest = bytes;
        let mut messages = Vec::new();
        loop {
            match reader.read(&mut rest) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break Ok(messages),
                Err(error) => break Err(error),
            }
        }
    };
    let single = {
        let mut reader = Reader::new(limits);
        let mut messages = Vec::new();
        bytes
            .iter()
            .try_for_each(|byte| {
                messages.extend(reader.read(&mut std::slice::from_ref(byte))?);
                Ok(())
            })
            .map(|()| messages)
    };
    assert_eq!(whole, single, "pieces make no difference");
    whole
}

/// A header of the given type on chunk stream `csid` below 64.
fn header(format: u8, csid: u8, time: u32, len: usize, kind: u8, stream_id: u32) -> Vec<u8> {
    let mut bytes = vec![format << 6 | csid];
    if format <= 2 {
        bytes.extend_from_slice(&time.min(0xff_ffff).to_be_bytes()[1..]);
    }
    if format <= 1 {
        bytes.extend_from_slice(&u32::try_from(len).unwrap().to_be_bytes()[1..]);
        bytes.push(kind);
    }
    if format == 0 {
        bytes.extend_from_slice(&stream_id.to_le_bytes());
    }
    if time >= 0xff_ffff {
        bytes.extend_from_slice(&time.to_be_bytes());
    }
    bytes
}

fn times(messages: &[Message]) -> Vec<u32> {
    messages.iter().map(|message| message.timestamp).collect()
}

fn bodies(messages: &[Message]) -> Vec<&[u8]> {
    messages.iter().map(|message| &message.body[..]).collect()
}

#[test]
fn a_smaller_audio_message_inside_a_video_message() {
    let video: Vec<u8> = (0..=255).cycle().take(300).collect();
    let bytes = [
        header(0, 6, 40, 300, kind::VIDEO, 1),
        video[..128].to_vec(),
        header(0, 4, 41, 5, kind::AUDIO, 1),
        b"audio".to_vec(),
        header(3, 6, 0, 0, 0, 0),
        video[128..256].to_vec(),
        header(2, 4, 23, 0, 0, 0),
        b"again".to_vec(),
        header(3, 6, 0, 0, 0, 0),
        video[256..].to_vec(),
    ]
    .concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!(bodies(&messages), [b"audio", b"again", &video[..]]);
    assert_eq!(times(&messages), [41, 64, 40]);
}

#[test]
fn type_3_begins_a_message_with_the_last_delta() {
    let bytes = [
        header(0, 4, 1000, 1, kind::AUDIO, 1),
        b"a".to_vec(),
        header(2, 4, 20, 0, 0, 0),
        b"b".to_vec(),
        header(3, 4, 0, 0, 0, 0),
        b"c".to_vec(),
        header(1, 4, 7, 2, kind::VIDEO, 0),
        b"dd".to_vec(),
        header(3, 4, 0, 0, 0, 0),
        b"ee".to_vec(),
    ]
    .concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!(times(&messages), [1000, 1020, 1040, 1047, 1054]);
    assert_eq!(messages[4], Message { kind: kind::VIDEO, stream_id: 1, timestamp: 1054, body: b"ee".to_vec() });
}

/// RTMP 1.0 §5.3.1.2.4: behind type 0, its timestamp is the delta.
#[test]
fn type_3_behind_type_0_adds_its_timestamp() {
    let bytes = [header(0, 4, 23, 1, 8, 1), b"a".to_vec(), header(3, 4, 0, 0, 0, 0), b"b".to_vec()].concat();
    assert_eq!(times(&read_all(&bytes).unwrap()), [23, 46]);
    let bytes = [header(0, 4, 0, 1, 8, 1), b"a".to_vec(), header(3, 4, 0, 0, 0, 0), b"b".to_vec()].concat();
    assert_eq!(times(&read_all(&bytes).unwrap()), [0, 0]);
}

#[test]
fn deltas_wrap_around() {
    let bytes = [header(0, 4, u32::MAX, 1, 8, 1), b"a".to_vec(), header(2, 4, 3, 0, 0, 0), b"b".to_vec()].concat();
    assert_eq!(times(&read_all(&bytes).unwrap()), [u32::MAX, 2]);
}

#[test]
fn extended_timestamp_repeated_on_type_3() {
    let time = 0x0123_4567u32;
    let mut bytes = header(0, 6, time, 300, kind::VIDEO, 1);
    for part in [&[1; 128][..], &[2; 128], &[3; 44]] {
        if bytes.len() > 16 {
            bytes.push(0xc6);
            bytes.extend_from_slice(&time.to_be_bytes());
        }
        bytes.extend_from_slice(part);
    }
    let messages = read_all(&bytes).unwrap();
    assert_eq!(times(&messages), [time]);
    assert_eq!(messages[0].body, [&[1; 128][..], &[2; 128], &[3; 44]].concat());
}

#[test]
fn extended_timestamp_left_out_on_type_3() {
    let time = 0x0123_4567u32;
    // Bodies that begin like the timestamp that is left out, up to its last byte but one; and a last chunk shorter than it.
    for matching in 0..4 {
        for last in [1, 2, 3, 4, 44] {
            let second: Vec<u8> = time.to_be_bytes()[..matching].iter().copied().chain([9; 128]).take(128).collect();
            let third: Vec<u8> =
                time.to_be_bytes()[..matching.min(last - 1)].iter().copied().chain([9; 44]).take(last).collect();
            let mut bytes = header(0, 6, time, 256 + last, kind::VIDEO, 1);
            bytes.extend_from_slice(&[1; 128]);
            bytes.push(0xc6);
            bytes.extend_from_slice(&second);
            bytes.push(0xc6);
            bytes.extend_from_slice(&third);
            // What follows has to be read in step.
            bytes.extend_from_slice(&header(0, 4, 5, 1, kind::AUDIO, 1));
            bytes.push(b'a');
            let messages = read_all(&bytes).unwrap();
            assert_eq!(messages[0].body, [&[1; 128][..], &second, &third].concat(), "{matching} {last}");
            assert_eq!(bodies(&messages[1..]), [b"a"]);
        }
    }
}

#[test]
fn extended_delta_and_type_3_beginning_a_message() {
    let delta = 0x0100_0000u32;
    let bytes = [
        header(0, 4, 10, 1, 8, 1),
        b"a".to_vec(),
        header(2, 4, delta, 0, 0, 0),
        b"b".to_vec(),
        // Repeats the field: the delta counts again.
        vec![0xc4],
        delta.to_be_bytes().to_vec(),
        b"c".to_vec(),
        // Leaves it out: librtmp writes this when the time has not moved.
        vec![0xc4],
        b"d".to_vec(),
        // And repeats it again.
        vec![0xc4],
        delta.to_be_bytes().to_vec(),
        b"D".to_vec(),
        // A header with a short time ends it.
        header(2, 4, 5, 0, 0, 0),
        b"e".to_vec(),
        header(3, 4, 0, 0, 0, 0),
        b"f".to_vec(),
    ]
    .concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!(bodies(&messages), [b"a", b"b", b"c", b"d", b"D", b"e", b"f"]);
    let (two, three) = (10 + 2 * delta, 10 + 3 * delta);
    assert_eq!(times(&messages), [10, 10 + delta, two, two, three, three + 5, three + 10]);
}

#[test]
fn exactly_0xffffff_is_extended() {
    let bytes = [header(0, 4, 0xff_ffff, 1, 8, 1), b"a".to_vec()].concat();
    assert_eq!(bytes[1..4], [0xff; 3]);
    assert_eq!(bytes[12..16], [0, 0xff, 0xff, 0xff]);
    assert_eq!(times(&read_all(&bytes).unwrap()), [0xff_ffff]);
}

#[test]
fn chunk_stream_ids_of_two_and_three_bytes() {
    let tail = |kind: u8| [&[0, 0, 1, 0, 0, 1, kind][..], &1u32.to_le_bytes(), b"x"].concat();
    // 64 in both forms is the same chunk stream; 65,599 is the last one.
    let bytes =
        [vec![0x00, 0x00], tail(8), vec![0xc1, 0x00, 0x00], b"y".to_vec(), vec![0x01, 0xff, 0xff], tail(9)].concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!(bodies(&messages), [b"x", b"y", b"x"]);
}

/// librtmp begins chunk stream 2 with a type 1 header.
#[test]
fn type_1_may_be_the_first_on_a_chunk_stream() {
    let bytes = [header(1, 2, 0, 6, kind::USER_CONTROL, 0), vec![0, 3, 0, 0, 0, 1]].concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!((messages[0].kind, messages[0].stream_id, messages[0].timestamp), (kind::USER_CONTROL, 0, 0));
}

#[test]
fn types_2_and_3_need_a_header_before_them() {
    for format in [2, 3] {
        for csid in [3, 63] {
            assert_eq!(
                read_all(&header(format, csid, 0, 0, 0, 0)),
                Err(ErrorKind::NoEarlierHeader { format, csid: csid.into() })
            );
        }
    }
}

#[test]
fn only_type_3_goes_on_with_a_message() {
    for format in [0, 1, 2] {
        let bytes = [header(0, 4, 0, 200, 8, 1), vec![0; 128], header(format, 4, 0, 200, 8, 1)].concat();
        assert_eq!(read_all(&bytes), Err(ErrorKind::InsideMessage { format, csid: 4 }));
    }
}

#[test]
fn empty_messages() {
    let bytes = [header(0, 4, 0, 0, 8, 1), header(3, 4, 0, 0, 0, 0), header(3, 4, 0, 0, 0, 0)].concat();
    assert_eq!(bodies(&read_all(&bytes).unwrap()), [b"", b"", b""]);
}

fn control(kind: u8, value: u32) -> Vec<u8> {
    [header(0, 2, 0, 4, kind, 0), value.to_be_bytes().to_vec()].concat()
}

#[test]
fn set_chunk_size_counts_from_the_next_chunk_even_inside_a_message() {
    let bytes = [
        header(0, 6, 0, 200, 9, 1),
        vec![1; 128],
        control(kind::SET_CHUNK_SIZE, 10),
        header(3, 6, 0, 0, 0, 0),
        vec![2; 10],
        control(kind::SET_CHUNK_SIZE, 0x7fff_ffff),
        header(3, 6, 0, 0, 0, 0),
        vec![3; 62],
        header(0, 4, 0, 70_000, 8, 1),
        vec![4; 70_000],
    ]
    .concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!(messages[2].body, [vec![1; 128], vec![2; 10], vec![3; 62]].concat());
    assert_eq!(messages[3].body, vec![4; 70_000]);
}

#[test]
fn chunk_sizes_that_are_not_allowed() {
    for size in [0, 0x8000_0000, 0x8000_0001, u32::MAX] {
        assert_eq!(read_all(&control(kind::SET_CHUNK_SIZE, size)), Err(ErrorKind::ChunkSize(size)));
    }
    for size in [1, 0x7fff_ffff] {
        assert!(read_all(&control(kind::SET_CHUNK_SIZE, size)).is_ok());
    }
}

#[test]
fn control_messages_that_are_too_short() {
    for kind in [kind::SET_CHUNK_SIZE, kind::ABORT] {
        let bytes = [header(0, 2, 0, 3, kind, 0), vec![0; 3]].concat();
        assert_eq!(read_all(&bytes), Err(ErrorKind::ControlLength { kind, len: 3, expected: 4 }));
    }
}

#[test]
fn abort_drops_the_unfinished_message() {
    let bytes = [
        header(0, 6, 1000, 200, 9, 1),
        vec![1; 128],
        control(kind::ABORT, 6),
        // The chunk stream's header still counts.
        header(3, 6, 0, 0, 0, 0),
        vec![2; 128],
        header(3, 6, 0, 0, 0, 0),
        vec![3; 72],
    ]
    .concat();
    let messages = read_all(&bytes).unwrap();
    assert_eq!(messages[1].body, [vec![2; 128], vec![3; 72]].concat());
    assert_eq!(messages.len(), 2);
}

#[test]
fn abort_of_nothing() {
    let bytes = [
        control(kind::ABORT, 77),
        control(kind::ABORT, u32::MAX),
        header(0, 4, 0, 1, 8, 1),
        b"a".to_vec(),
        control(kind::ABORT, 4),
        header(3, 4, 0, 0, 0, 0),
        b"b".to_vec(),
    ]
    .concat();
    assert_eq!(read_all(&bytes).unwrap().len(), 5);
}

#[test]
fn limits_are_errors() {
    let limits = Limits { message: 1000, unfinished: 1500, chunk_streams: 3 };
    let too_long = header(0, 4, 0, 1001, 9, 1);
    assert_eq!(read_with(limits, &too_long), Err(ErrorKind::MessageTooLong { kind: 9, announced: 1001, limit: 1000 }));
    let streams: Vec<u8> = (3..7).flat_map(|csid| header(0, csid, 0, 0, 8, 1)).collect();
    assert_eq!(read_with(limits, &streams), Err(ErrorKind::TooManyChunkStreams(3)));
    let unfinished: Vec<u8> = (4..7)
        .flat_map(|csid| {
            let rounds = (0..6).flat_map(move |_| [vec![0xc0 | csid], vec![0; 128]].concat());
            [header(0, csid, 0, 1000, 9, 1), vec![0; 128]].concat().into_iter().chain(rounds)
        })
        .collect();
    assert_eq!(read_with(limits, &unfinished), Err(ErrorKind::TooMuchUnfinished(1500)));
}
