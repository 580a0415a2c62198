//! Tag bodies, written here byte by byte from the specification and read back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use brookbox_media::{Features, FourCc, Kind, Media, Packet, Role, packets, summary};
use proptest::prelude::*;

fn only(media: Media, body: &[u8]) -> (Packet, &[u8]) {
    let all: Vec<_> = packets(media, body).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

fn video(body: &[u8]) -> (Packet, &[u8]) {
    only(Media::Video, body)
}

fn audio(body: &[u8]) -> (Packet, &[u8]) {
    only(Media::Audio, body)
}

#[track_caller]
fn expect(body: (Packet, &[u8]), codec: Option<FourCc>, role: Role, kind: Kind, data: &[u8]) {
    assert_eq!((body.0.codec, body.0.role, body.0.kind, body.1), (codec, role, kind, data));
    assert_eq!((body.0.track, body.0.composition_ms, body.0.nano_offset), (0, 0, 0));
}

/// FLV 10.1, E.4.3.1.
mod legacy_video {
    use super::*;

    const AVC: Option<FourCc> = Some(FourCc::AVC);

    #[test]
    fn avc() {
        expect(video(b"\x17\x00\x00\x00\x00\x01\x64"), AVC, Role::Config, Kind::SequenceStart, b"\x01\x64");
        expect(video(b"\x17\x01\x00\x00\x00\x65"), AVC, Role::Key, Kind::Frames, b"\x65");
        expect(video(b"\x27\x01\x00\x00\x00\x41"), AVC, Role::Inter, Kind::Frames, b"\x41");
        expect(video(b"\x37\x01\x00\x00\x00\x01"), AVC, Role::Inter, Kind::Frames, b"\x01");
        expect(video(b"\x47\x01\x00\x00\x00\x65"), AVC, Role::Key, Kind::Frames, b"\x65");
        expect(video(b"\x17\x02\x00\x00\x00"), AVC, Role::End, Kind::SequenceEnd, b"");
        expect(video(b"\x57\x00"), AVC, Role::Command, Kind::Command, b"\x00");
    }

    #[test]
    fn composition_times_have_a_sign_and_belong_to_frames_only() {
        let of = |body| video(body).0.composition_ms;
        assert_eq!(of(b"\x27\x01\x00\x00\x50\x41"), 80);
        assert_eq!(of(b"\x27\x01\xff\xff\xd8\x41"), -40);
        assert_eq!(of(b"\x27\x01\x7f\xff\xff"), 8_388_607);
        assert_eq!(of(b"\x27\x01\x80\x00\x00"), -8_388_608);
        assert_eq!(of(b"\x17\x00\x00\x00\x50\x01"), 0);
    }

    #[test]
    fn hevc_that_nobody_specified_is_read_like_avc() {
        let hevc = Some(FourCc::HEVC);
        expect(video(b"\x1c\x00\x00\x00\x00\x01"), hevc, Role::Config, Kind::SequenceStart, b"\x01");
        assert_eq!(video(b"\x2c\x01\x00\x00\x28\x02").0.composition_ms, 40);
    }

    #[test]
    fn codecs_without_packet_type() {
        let (packet, data) = video(b"\x12\x00\x00\x84");
        assert_eq!((packet.role, data), (Role::Key, &b"\x00\x00\x84"[..]));
        assert_eq!(packet.codec.unwrap().to_string(), "FLV1");
        assert_eq!(video(b"\x24\x10").0.role, Role::Inter);
        assert_eq!(video(b"\x1f\x10").0.codec.unwrap().to_string(), "#15");
    }

    #[test]
    fn what_is_cut_off_or_reserved_is_unknown() {
        for body in [&b""[..], b"\x17", b"\x17\x00", b"\x17\x00\x00\x00", b"\x17\x01\x00\x00", b"\x17\x03\x00\x00\x00"]
        {
            assert_eq!(video(body).0.role, Role::Unknown, "{body:x?}");
            assert_eq!(video(body).0.kind, Kind::Unknown, "{body:x?}");
        }
        assert_eq!(video(b"\x67\x01\x00\x00\x00\x65").0.role, Role::Unknown);
    }
}

/// FLV 10.1, E.4.2.1.
#[test]
fn legacy_audio() {
    let aac = Some(FourCc::AAC);
    expect(audio(b"\xaf\x00\x12\x10"), aac, Role::Config, Kind::SequenceStart, b"\x12\x10");
    expect(audio(b"\xaf\x01\x21"), aac, Role::Audio, Kind::Frames, b"\x21");
    expect(audio(b"\xaf\x02\x21"), aac, Role::Unknown, Kind::Unknown, b"\x21");
    expect(audio(b"\x2f\xff\xfb"), Some(FourCc::MP3), Role::Audio, Kind::Frames, b"\xff\xfb");
    assert_eq!(audio(b"\xaf").0.role, Role::Unknown);
    // "Audio silence", E-RTMP v2, AudioPacketType.
    expect(audio(b""), None, Role::End, Kind::SequenceEnd, b"");
}

#[test]
fn script_data_is_passed_on() {
    let body = b"\x02\x00\x0aonMetaData";
    expect(only(Media::Data, body), None, Role::Unknown, Kind::Unknown, body);
}

/// E-RTMP v2, *Enhanced Video*.
mod enhanced_video {
    use super::*;

    #[test]
    fn packet_types() {
        let (hevc, av1) = (Some(FourCc::HEVC), Some(FourCc::AV1));
        expect(video(b"\x90hvc1\x01"), hevc, Role::Config, Kind::SequenceStart, b"\x01");
        expect(video(b"\x91hvc1\x00\x00\x00\x26"), hevc, Role::Key, Kind::Frames, b"\x26");
        expect(video(b"\xa3hvc1\x02"), hevc, Role::Inter, Kind::Frames, b"\x02");
        expect(video(b"\x92hvc1"), hevc, Role::End, Kind::SequenceEnd, b"");
        expect(video(b"\x91av01\x12\x00"), av1, Role::Key, Kind::Frames, b"\x12\x00");
        expect(video(b"\x95av01\x80\x04"), av1, Role::Config, Kind::Mpeg2TsSequenceStart, b"\x80\x04");
        expect(video(b"\x98av01\x80"), av1, Role::Unknown, Kind::Unknown, b"\x80");
        expect(video(b"\x91abcd\x80"), Some(FourCc::new(*b"abcd")), Role::Key, Kind::Frames, b"\x80");
    }

    #[test]
    fn only_avc_hevc_and_vvc_have_composition_times_and_only_in_coded_frames() {
        for codec in [b"avc1", b"hvc1", b"vvc1"] {
            let (packet, data) = (&[&[0xa1], &codec[..], b"\xff\xff\xff\x02"].concat()[..], b"\x02");
            assert_eq!(video(packet).0.composition_ms, -1);
            assert_eq!(video(packet).1, data);
            assert_eq!(video(&[&[0xa3], &codec[..], b"\xff\xff\xff\x02"].concat()).0.composition_ms, 0);
            assert_eq!(video(&[&[0xa1], &codec[..], b"\xff\xff"].concat()).0.role, Role::Unknown);
        }
        for codec in [b"av01", b"vp09", b"vp08"] {
            assert_eq!(video(&[&[0xa1], &codec[..], b"\xff\xff\xff\x02"].concat()).0.composition_ms, 0);
        }
    }

    /// FFmpeg sends `colorInfo` with frame type 5, others with 1: it is to be ignored there.
    #[test]
    fn frame_type_5_is_a_command_except_in_metadata() {
        expect(video(b"\xd1\x01"), None, Role::Command, Kind::Command, b"\x01");
        for first in [b"\xd4", b"\x94"] {
            let body = [first, &b"hvc1\x02\x00\x09colorInfo"[..]].concat();
            let hevc = Some(FourCc::HEVC);
            expect(video(&body), hevc, Role::Config, Kind::Metadata, b"\x02\x00\x09colorInfo");
        }
    }

    #[test]
    fn mod_ex_comes_before_the_codec_and_may_be_repeated() {
        let (packet, data) = video(b"\x97\x02\x0f\x42\x3f\x01avc1\x00\x00\x00\x65");
        assert_eq!((packet.nano_offset, packet.role, data), (999_999, Role::Key, &b"\x65"[..]));

        let two = b"\x97\x00\xee\x37\x02\x00\x00\x07\x03av01\x12";
        let (packet, data) = video(two);
        assert_eq!((packet.nano_offset, packet.codec, data), (7, Some(FourCc::AV1), &b"\x12"[..]));
        let features = packets(Media::Video, two).features();
        assert_eq!(features, Features { enhanced: true, mod_ex: true, nano_offset: true, multitrack: false });
    }

    #[test]
    fn mod_ex_of_256_bytes_and_more_has_its_size_in_two_more_bytes() {
        for size in [1_u32, 3, 255, 256, 257, 65_536] {
            let mut body = vec![0x97];
            if size < 256 {
                body.push(u8::try_from(size - 1).unwrap());
            } else {
                body.push(255);
                body.extend(u16::try_from(size - 1).unwrap().to_be_bytes());
            }
            body.extend([0, 1, 0].iter().chain(&[9; 65_536]).take(size as usize));
            body.extend(b"\x03av01\x12");
            let (packet, data) = video(&body);
            assert_eq!((packet.codec, data), (Some(FourCc::AV1), &b"\x12"[..]), "{size}");
            assert_eq!(packet.nano_offset, if size < 3 { 0 } else { 256 }, "{size}");
        }
    }

    #[test]
    fn mod_ex_may_announce_a_command_or_metadata() {
        expect_after_mod_ex(b"\xd7\x00\xee\x31\x00", None, Role::Command);
        expect_after_mod_ex(b"\xd7\x00\xee\x34av01\x02", Some(FourCc::AV1), Role::Config);
    }

    fn expect_after_mod_ex(body: &[u8], codec: Option<FourCc>, role: Role) {
        assert_eq!((video(body).0.codec, video(body).0.role), (codec, role));
    }

    #[test]
    fn every_cut_through_the_headers_is_unknown() {
        for body in [&b"\x97\x02\x0f\x42\x3f\x01avc1\x00\x00\x00"[..], b"\x96\x11av01\x05\x00\x00\x01\xaa"] {
            for cut in 0..body.len() {
                let role = only(Media::Video, &body[..cut]).0.role;
                assert_eq!(role, Role::Unknown, "{:x?}", &body[..cut]);
            }
            assert_eq!(video(body).0.role, Role::Key);
        }
    }
}

/// E-RTMP v2, *Enhanced Audio*.
#[test]
fn enhanced_audio() {
    let opus = Some(FourCc::OPUS);
    expect(audio(b"\x90OpusOpusHead"), opus, Role::Config, Kind::SequenceStart, b"OpusHead");
    expect(audio(b"\x91Opus\xfc"), opus, Role::Audio, Kind::Frames, b"\xfc");
    expect(audio(b"\x92Opus"), opus, Role::End, Kind::SequenceEnd, b"");
    expect(audio(b"\x94Opus\x01\x02"), opus, Role::Config, Kind::MultichannelConfig, b"\x01\x02");
    expect(audio(b"\x90ac-3"), Some(FourCc::AC3), Role::Config, Kind::SequenceStart, b"");
    // 3 and 6 mean something in video only.
    expect(audio(b"\x93Opus\xfc"), opus, Role::Unknown, Kind::Unknown, b"\xfc");
    expect(audio(b"\x96Opus\xfc"), opus, Role::Unknown, Kind::Unknown, b"\xfc");
    assert_eq!(audio(b"\x97\x02\x00\x00\x05\x01fLaC\xff").0.nano_offset, 5);
}

mod multitrack {
    use super::*;

    #[test]
    fn one_track_takes_all_that_follows() {
        let (packet, data) = video(b"\xa6\x01hvc1\x01\x00\x00\xa0\x02\x01");
        assert_eq!((packet.track, packet.role, packet.composition_ms), (1, Role::Inter, 160));
        assert_eq!(data, b"\x02\x01");
        let (packet, data) = audio(b"\x95\x04Opus\x01\x01\x01\x00\x00\x00\x04");
        assert_eq!((packet.track, packet.kind), (1, Kind::MultichannelConfig));
        assert_eq!(data, b"\x01\x01\x00\x00\x00\x04");
    }

    #[test]
    fn mod_ex_counts_for_all_tracks() {
        let body = b"\x97\x02\x00\x00\x09\x06\x13av01\x01\x00\x00\x01\xaa\x02\x00\x00\x01\xbb";
        let offsets: Vec<_> = packets(Media::Video, body).map(|(packet, _)| packet.nano_offset).collect();
        assert_eq!(offsets, [9, 9]);
    }

    #[test]
    fn what_may_not_be_nested_and_layouts_yet_to_come_are_unknown() {
        for body in [&b"\x96\x06av01\x00"[..], b"\x96\x07av01\x00", b"\x96\x31av01\x00\x00\x00\x01\xaa"] {
            assert_eq!(video(body).0, video(b"").0, "{body:x?}");
        }
        assert_eq!(audio(b"\x95\x05Opus\x00").0.role, Role::Unknown);
    }

    #[test]
    fn a_track_that_is_longer_than_the_message_is_unknown_and_the_ones_before_it_stand() {
        let body = b"\x96\x11av01\x01\x00\x00\x01\xaa\x02\x00\x00\x03\xbb\xbb";
        let all: Vec<_> = packets(Media::Video, body).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].0.track, all[0].0.role, all[0].1), (1, Role::Key, &b"\xaa"[..]));
        assert_eq!((all[1].0.role, all[1].1), (Role::Unknown, &b"\x02\x00\x00\x03\xbb\xbb"[..]));
        assert_eq!((summary(Media::Video, body).role, summary(Media::Video, body).track), (Role::Key, 1));
    }

    #[test]
    fn a_broken_configuration_message_is_not_taken_for_configuration() {
        let body = b"\x96\x10av01\x00\x00\x00\x01\x81\x01\x00\x00\x09\x81";
        assert_eq!(summary(Media::Video, body).role, Role::Unknown);
    }

    #[test]
    fn there_are_no_more_tracks_than_track_ids() {
        let mut body = b"\x96\x11av01".to_vec();
        body.resize(1 << 20, 0);
        let all: Vec<_> = packets(Media::Video, &body).collect();
        assert_eq!(all.len(), 257);
        assert_eq!(all[256].0.role, Role::Unknown);
        assert_eq!(all[256].1.len(), (1 << 20) - 6 - 256 * 4);
    }
}

#[test]
fn a_summary_is_that_of_the_lowest_track() {
    let body = b"\xa6\x21hvc1\x07\x00\x00\x04\x00\x00\x10\x02avc1\x02\x00\x00\x04\x00\x00\x20\x41";
    let summary = summary(Media::Video, body);
    assert_eq!((summary.track, summary.codec, summary.composition_ms), (2, Some(FourCc::AVC), 32));
    assert_eq!((summary.role, summary.kind), (Role::Inter, Kind::Frames));
    assert!(summary.features.multitrack);
}

/// A message as somebody else might write it.
#[derive(Clone, Debug)]
struct Message {
    media: Media,
    frame_type: u8,
    packet_type: u8,
    mod_ex: Vec<(u8, Vec<u8>)>,
    layout: Layout,
    tracks: Vec<Track>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Single,
    OneTrack,
    ManyTracks,
    ManyTracksManyCodecs,
}

#[derive(Clone, Debug)]
struct Track {
    codec: FourCc,
    id: u8,
    composition_ms: i32,
    data: Vec<u8>,
}

impl Message {
    fn has_composition_time(&self, codec: FourCc) -> bool {
        self.media == Media::Video && self.packet_type == 1 && [FourCc::AVC, FourCc::HEVC, FourCc::VVC].contains(&codec)
    }

    fn write(&self) -> Vec<u8> {
        let (first, multitrack) = match self.media {
            Media::Video => (0x80 | self.frame_type << 4, 6),
            _ => (0x90, 5),
        };
        let packet_type = if self.layout == Layout::Single { self.packet_type } else { multitrack };
        let mut types = self.mod_ex.iter().map(|_| 7).chain([packet_type]);
        let mut body = vec![first | types.next().unwrap()];
        for ((kind, data), next) in self.mod_ex.iter().zip(types) {
            if data.len() < 256 {
                body.push(u8::try_from(data.len() - 1).unwrap());
            } else {
                body.push(255);
                body.extend(u16::try_from(data.len() - 1).unwrap().to_be_bytes());
            }
            body.extend(data);
            body.push(kind << 4 | next);
        }
        match self.layout {
            Layout::Single => {}
            Layout::OneTrack => body.push(self.packet_type),
            Layout::ManyTracks => body.push(0x10 | self.packet_type),
            Layout::ManyTracksManyCodecs => body.push(0x20 | self.packet_type),
        }
        if self.layout != Layout::ManyTracksManyCodecs {
            body.extend(self.tracks[0].codec.bytes());
        }
        for track in &self.tracks {
            let mut data: Vec<u8> = Vec::new();
            if self.has_composition_time(track.codec) {
                data.extend(&track.composition_ms.to_be_bytes()[1..]);
            }
            data.extend(&track.data);
            if self.layout == Layout::ManyTracksManyCodecs {
                body.extend(track.codec.bytes());
            }
            if self.layout != Layout::Single {
                body.push(track.id);
            }
            if matches!(self.layout, Layout::ManyTracks | Layout::ManyTracksManyCodecs) {
                body.extend(&u32::try_from(data.len()).unwrap().to_be_bytes()[1..]);
            }
            body.extend(data);
        }
        body
    }

    fn nano_offset(&self) -> u32 {
        let mut offsets = self.mod_ex.iter().filter(|(kind, data)| *kind == 0 && data.len() >= 3);
        offsets.next_back().map_or(0, |(_, data)| u32::from_be_bytes([0, data[0], data[1], data[2]]))
    }
}

prop_compose! {
    fn track()(
        codec in prop::sample::select(vec!["avc1", "hvc1", "av01", "vp09", "Opus", "mp4a", "fLaC", "ac-3", "ec-3"]),
        id: u8,
        composition_ms in -(1 << 23)..1 << 23,
        data in prop::collection::vec(any::<u8>(), 0..40),
    ) -> Track {
        Track { codec: FourCc::new(codec.as_bytes().try_into().unwrap()), id, composition_ms, data }
    }
}

prop_compose! {
    fn message()(
        media in prop::sample::select(vec![Media::Video, Media::Audio]),
        frame_type in 1..=2_u8,
        packet_type in 0..=1_u8,
        mod_ex in prop::collection::vec((0..16_u8, prop::collection::vec(any::<u8>(), 1..300)), 0..4),
        layout in prop::sample::select(
            vec![Layout::Single, Layout::OneTrack, Layout::ManyTracks, Layout::ManyTracksManyCodecs]
        ),
        mut tracks in prop::collection::vec(track(), 1..9),
    ) -> Message {
        match layout {
            Layout::Single => {
                tracks.truncate(1);
                tracks[0].id = 0;
            }
            Layout::OneTrack => tracks.truncate(1),
            Layout::ManyTracks => {
                let codec = tracks[0].codec;
                tracks.iter_mut().for_each(|track| track.codec = codec);
            }
            Layout::ManyTracksManyCodecs => {}
        }
        Message { media, frame_type, packet_type, mod_ex, layout, tracks }
    }
}

proptest! {
    #[test]
    fn the_packets_of_a_message_come_back(message in message()) {
        let body = message.write();
        let read: Vec<_> = packets(message.media, &body).collect();
        prop_assert_eq!(read.len(), message.tracks.len());
        let role = match (message.packet_type, message.media, message.frame_type) {
            (0, ..) => Role::Config,
            (_, Media::Audio, _) => Role::Audio,
            (.., 1) => Role::Key,
            _ => Role::Inter,
        };
        for ((packet, data), track) in read.iter().zip(&message.tracks) {
            prop_assert_eq!(packet.codec, Some(track.codec));
            prop_assert_eq!(packet.track, track.id);
            prop_assert_eq!(packet.role, role);
            prop_assert_eq!(packet.nano_offset, message.nano_offset());
            let has_composition_time = message.has_composition_time(track.codec);
            prop_assert_eq!(packet.composition_ms, if has_composition_time { track.composition_ms } else { 0 });
            prop_assert_eq!(*data, &track.data[..]);
        }
        let summary = summary(message.media, &body);
        prop_assert_eq!(summary.role, role);
        prop_assert_eq!(summary.track, message.tracks.iter().map(|track| track.id).min().unwrap());
        prop_assert_eq!(summary.features.multitrack, message.layout != Layout::Single);
        prop_assert_eq!(summary.features.mod_ex, !message.mod_ex.is_empty());
        prop_assert!(summary.features.enhanced);
    }

    #[test]
    fn any_bytes_give_packets_that_lie_inside_them_in_order(
        media in prop::sample::select(vec![Media::Video, Media::Audio, Media::Data]),
        start in prop::sample::select(vec![&b""[..], b"\x96", b"\x95", b"\x97", b"\x96\x11av01", b"\x95\x21", b"\x17"]),
        tail in prop::collection::vec(prop_oneof![any::<u8>(), 0..8_u8], 0..200),
    ) {
        let body = [start, &tail].concat();
        let mut at = 0;
        let mut count = 0;
        for (_, data) in packets(media, &body) {
            let from = data.as_ptr() as usize - body.as_ptr() as usize;
            prop_assert!(from >= at && from + data.len() <= body.len());
            at = from + data.len();
            count += 1;
        }
        prop_assert!(count >= 1);
        prop_assert_eq!(at, body.len(), "not all bytes were handed out or read");
        let _ = summary(media, &body);
    }
}
