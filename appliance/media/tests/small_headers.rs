//! Headers of a few bytes, by hand where no encoder at hand writes such a thing; and what errors say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use brookbox_media::{
    AudioConfig, ChannelOrder, Chroma, Config, FourCc, MultichannelConfig, NalLength, VideoConfig, config, frame_config,
};

fn video(config: Config) -> VideoConfig {
    match config {
        Config::Video(video) => video,
        Config::Audio(audio) => panic!("{audio:?}"),
    }
}

fn audio(config: Config) -> AudioConfig {
    match config {
        Config::Audio(audio) => audio,
        Config::Video(video) => panic!("{video:?}"),
    }
}

#[track_caller]
fn expect_audio(codec: FourCc, bytes: &[u8], profile: &str, sample_rate: u32, channels: u8) {
    let found = match config(codec, bytes) {
        Ok(found) => audio(found),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(found.profile, profile);
    assert_eq!((found.sample_rate, found.channels), (Some(sample_rate), Some(channels)));
}

#[track_caller]
fn expect_error(codec: FourCc, bytes: &[u8], sentence: &str) {
    assert_eq!(config(codec, bytes).unwrap_err().to_string(), sentence);
}

#[test]
fn aac() {
    expect_audio(FourCc::AAC, b"\x11\x90", "LC", 48_000, 2);
    expect_audio(FourCc::AAC, b"\x11\xb8", "LC", 48_000, 8);
    expect_audio(FourCc::AAC, b"\x0a\x10", "Main", 44_100, 2);
    // Any rate in 24 bits: 0001 0 1111, 12,345 = 0x3039, 0010 000.
    expect_audio(FourCc::AAC, b"\x17\x80\x18\x1c\x90", "LC", 12_345, 2);
    // Low delay, with what error resilience adds; enhanced low delay behind the escape; USAC.
    expect_audio(FourCc::AAC, b"\xb9\x88\x00", "LD", 48_000, 1);
    expect_audio(FourCc::AAC, b"\xf8\xe6\x30", "ELD", 48_000, 1);
    expect_audio(FourCc::AAC, b"\xf9\x46\x40", "xHE-AAC", 48_000, 2);
    // SBR announced as absent, and an announcement of something else.
    expect_audio(FourCc::AAC, b"\x12\x10\x56\xe5\x00", "LC", 44_100, 2);
    expect_audio(FourCc::AAC, b"\x12\x10\x12\x34\x56", "LC", 44_100, 2);

    // SBR behind a core with error resilience: 22,050 Hz are played as 44,100 Hz.
    expect_audio(FourCc::AAC, b"\x8b\x90\x15\xb9\x68", "Object type 17", 44_100, 2);

    // A fault behind the core: an announcement that is cut off, a list of channels that is not there.
    expect_audio(FourCc::AAC, b"\x12\x10\x56\xe5", "LC", 44_100, 2);
    let unlisted = audio(config(FourCc::AAC, b"\x12\x00").unwrap());
    assert_eq!((unlisted.sample_rate, unlisted.channels), (Some(44_100), None));
    expect_error(FourCc::AAC, b"", "mp4a AudioSpecificConfig, byte 0: ends inside audioObjectType");
    expect_error(
        FourCc::AAC,
        b"\x16\x90",
        "mp4a AudioSpecificConfig, byte 1: samplingFrequencyIndex is 13, expected 0 to 12 or 15",
    );
    expect_error(
        FourCc::AAC,
        b"\x12\x48",
        "mp4a AudioSpecificConfig, byte 1: channelConfiguration is 9, expected 0 to 7 or 11 to 14",
    );
}

#[test]
fn opus() {
    expect_audio(FourCc::OPUS, b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0", "", 48_000, 2);
    let empty = audio(config(FourCc::OPUS, b"").unwrap());
    assert_eq!((empty.sample_rate, empty.channels), (Some(48_000), None));
    expect_error(
        FourCc::OPUS,
        b"OpusTags",
        "Opus identification header, byte 4: magic signature is 84, expected OpusHead",
    );
    expect_error(
        FourCc::OPUS,
        b"OpusHead\x01\x03\x38\x01\x80\xbb\0\0\0\0\0",
        "Opus identification header, byte 18: output channel count is 3, expected 1 or 2 in mapping family 0",
    );
}

#[test]
fn flac() {
    let block = b"\x04\x4a\x04\x4a\0\0\0\0\x33\x9c\x0b\xb8\x0a\xf0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    expect_audio(FourCc::FLAC, block, "", 48_000, 6);
    expect_audio(FourCc::FLAC, &[b"fLaC\x80\0\0\x22", &block[..]].concat(), "", 48_000, 6);
    expect_error(
        FourCc::FLAC,
        &[b"fLaC\x84\0\0\x22", &block[..]].concat(),
        "fLaC FlacSequenceHeader, byte 4: metadata block type is 4, expected 0",
    );
    expect_error(FourCc::FLAC, b"fLaC\0\0\0\x22\x04", "fLaC FlacSequenceHeader, byte 9: ends inside STREAMINFO");
}

#[test]
fn mp3() {
    expect_audio(FourCc::MP3, b"\xff\xfb\x90\x64", "Layer III", 44_100, 2);
    expect_audio(FourCc::MP3, b"\xff\xf3\x94\xc4", "Layer III", 24_000, 1);
    expect_audio(FourCc::MP3, b"\xff\xe3\x98\xc4", "Layer III", 8_000, 1);
    expect_audio(FourCc::MP3, b"\xff\xfd\x90\x00", "Layer II", 44_100, 2);
    expect_error(FourCc::MP3, b"ID3\x04", ".mp3 header, byte 1: syncword is 586, expected 2047");
    expect_error(FourCc::MP3, b"\xff\xeb\x90\x64", ".mp3 header, byte 1: ID is 1, expected 0, 2 or 3");
}

/// A/52 E.1.2: `strmtyp`, `frmsiz` for 16 bytes, 48 kHz, six blocks, `acmod`, `lfeon`, version 16, then `more`.
fn eac3(dependent: bool, mode: u8, low_frequency: bool, more: u32) -> Vec<u8> {
    let bits: u64 = u64::from(dependent) << 62
        | 7 << 48
        | 3 << 44
        | u64::from(mode) << 41
        | u64::from(low_frequency) << 40
        | 16 << 35
        | u64::from(more) << 3;
    let mut frame = [&[0x0b, 0x77], &bits.to_be_bytes()[..]].concat();
    frame.resize(16, 0);
    frame
}

#[test]
fn eac3_channels_are_those_of_all_substreams() {
    let five_one = eac3(false, 7, true, 0);
    expect_audio(FourCc::EAC3, &five_one, "", 48_000, 6);
    // No dialogue normalisation, no compression gain, a channel map: the pair Lrs and Rrs.
    let back = eac3(true, 2, false, 1 << 25 | 1 << 18);
    expect_audio(FourCc::EAC3, &[&five_one[..], &back].concat(), "", 48_000, 8);
    // The same behind a compression gain. Ls and Rs are there already, Cs is not.
    let surround = eac3(true, 4, false, 1 << 26 | 1 << 17 | (1 << 12 | 1 << 11 | 1 << 8) << 1);
    expect_audio(FourCc::EAC3, &[&five_one[..], &surround].concat(), "", 48_000, 7);
    // Another programme is none of ours, nor are what follows it or a frame that is cut off.
    expect_audio(FourCc::EAC3, &[&five_one[..], &five_one, &back].concat(), "", 48_000, 6);
    expect_audio(FourCc::EAC3, &[&five_one[..], b"\x0b\x77\x40"].concat(), "", 48_000, 6);
    // Two programmes in one stream have two gains.
    let two = eac3(true, 0, false, 1 << 19 | 1 << 12);
    expect_audio(FourCc::EAC3, &[&five_one[..], &two].concat(), "", 48_000, 8);
}

#[test]
fn ac3_of_every_mode() {
    // 48 kHz, version 8, acmod and what stands between it and lfeon.
    for (mode, skipped, channels) in
        [(0, 0, 2), (1, 0, 1), (2, 2, 2), (3, 2, 3), (4, 2, 3), (5, 4, 4), (6, 2, 4), (7, 4, 5)]
    {
        for low_frequency in 0..2_u16 {
            let end = (mode << 13 | low_frequency << (12 - skipped)).to_be_bytes();
            let frame = [&[0x0b, 0x77, 0, 0, 0, 8 << 3], &end[..]].concat();
            let expected = channels + u8::try_from(low_frequency).unwrap();
            expect_audio(FourCc::AC3, &frame, "", 48_000, expected);
        }
    }
    expect_audio(FourCc::AC3, b"\x0b\x77\x00\x00\x40\x50\x40\x00", "", 11_025, 2);
    expect_error(FourCc::AC3, b"\x77\x0b\x00\x00", "ac-3 syncinfo, byte 1: syncword is 30475, expected 0x0b77");
    expect_error(FourCc::AC3, b"\x0b\x77\0\0\0\xf8\0", "ac-3 syncinfo, byte 5: bsid is 31, expected at most 16");
}

#[test]
fn codecs_without_a_record_have_an_empty_one() {
    for codec in [FourCc::AC3, FourCc::EAC3, FourCc::MP3] {
        let empty = audio(config(codec, b"").unwrap());
        assert_eq!((empty.codec, empty.sample_rate, empty.channels), (codec, None, None));
    }
}

#[test]
fn frames_of_codecs_whose_records_say_it_all_say_nothing() {
    for codec in [FourCc::AAC, FourCc::OPUS, FourCc::FLAC] {
        assert_eq!(frame_config(codec, b"\xff\xf1"), Ok(None));
    }
    assert_eq!(frame_config(FourCc::AVC, b"\0\0\0\x02\x41\x9a"), Ok(None));
    assert_eq!(frame_config(FourCc::HEVC, b"\0\0\0\x02\x02\x01"), Ok(None));
    assert_eq!(frame_config(FourCc::AV1, b"\x12\x00\x32\x01\x10"), Ok(None));
    assert_eq!(frame_config(FourCc::VP9, b"\x86\x00\x40\x92"), Ok(None));
    assert_eq!(frame_config(FourCc::VP8, b"\x31\x02\x00"), Ok(None));
}

/// The first bytes of libvpx' picture of 321 × 180.
#[test]
fn vp8() {
    let frame = b"\x10\x62\x00\x9d\x01\x2a\x41\x01\xb4\x00";
    let found = video(frame_config(FourCc::VP8, frame).unwrap().unwrap());
    assert_eq!((found.width, found.height, found.profile.as_str()), (Some(321), Some(180), "Profile 0"));
    assert!(frame_config(FourCc::VP8, b"\x10\x62\x00\x9d\x01\x2a\x00\x00\xb4\x00").is_err());

    let record = video(config(FourCc::VP8, b"\x00\x1e\x82\x02\x02\x02\x00\x00").unwrap());
    assert_eq!((record.profile.as_str(), record.width, record.chroma), ("Profile 0 3.0", None, Some(Chroma::Yuv420)));
}

#[test]
fn vp9_records_without_the_box_header() {
    let record = video(config(FourCc::VP9, b"\x02\x29\xa6\x09\x10\x09\x00\x00").unwrap());
    assert_eq!(record.profile, "Profile 2 4.1");
    assert_eq!((record.bit_depth, record.chroma), (Some(10), Some(Chroma::Yuv444)));
    expect_error(
        FourCc::VP9,
        b"\x00\x00\x02",
        "vp09 VPCodecConfigurationRecord, byte 2: bitDepth is 0, expected 8, 10 or 12",
    );
}

/// Main 10, level 5.1, High tier; 50 × 256 frames in 256 s; lengths of two bytes; no parameter sets.
const HEVC_AT_50: &[u8] = b"\x01\x22\x20\0\0\0\xb0\0\0\0\0\0\x99\0\0\0\xfd\xfa\0\x32\0\x01\0";

#[test]
fn records_without_parameter_sets_say_what_they_can() {
    let avc = video(config(FourCc::AVC, b"\x01\x4d\x40\x1f\xff\xe0\x00").unwrap());
    assert_eq!((avc.profile.as_str(), avc.width, avc.nal_length), ("Main 3.1", None, Some(NalLength::Four)));

    let hevc = video(config(FourCc::HEVC, HEVC_AT_50).unwrap());
    assert_eq!(hevc.profile, "Main 10 5.1 (High tier)");
    assert_eq!((hevc.bit_depth, hevc.chroma, hevc.fps), (Some(10), Some(Chroma::Yuv420), Some(50.0)));
    assert_eq!((hevc.width, hevc.nal_length), (None, Some(NalLength::Two)));

    let av1 = video(config(FourCc::AV1, b"\x81\x4d\xc8\x00").unwrap());
    assert_eq!((av1.profile.as_str(), av1.width), ("Professional 5.1 (High tier)", None));
    assert_eq!((av1.bit_depth, av1.chroma), (Some(10), Some(Chroma::Yuv422)));
}

#[test]
fn errors_say_where() {
    expect_error(
        FourCc::AVC,
        b"\x00\x64\x00\x1f",
        "avc1 AVCDecoderConfigurationRecord, byte 0: configurationVersion is 0, expected 1",
    );
    expect_error(FourCc::AVC, b"\0\0\x01\x68\xee", "avc1 byte stream, byte 0: SPS count is 0, expected at least 1");
    expect_error(
        FourCc::AVC,
        b"\x01\x64\x00\x1f\xfe\xe0\x00",
        "avc1 AVCDecoderConfigurationRecord, byte 4: lengthSizeMinusOne is 2, expected 0, 1 or 3",
    );
    expect_error(
        FourCc::AVC,
        b"\x01\x64\x00\x1f\xff\xe1\x00\x09\x67\x64",
        "avc1 AVCDecoderConfigurationRecord, byte 10: ends inside SPS",
    );
    expect_error(
        FourCc::AVC,
        b"\x01\x64\x00\x1f\xff\xe1\x00\x02\x68\xee\x00",
        "avc1 SPS, byte 8: nal_unit_type is 8, expected 7",
    );
    // Baseline of 4,097 macroblocks across.
    expect_error(
        FourCc::AVC,
        b"\x01\x42\x00\x1f\xff\xe1\x00\x08\x67\x42\x00\x1f\xf8\x00\x20\x03",
        "avc1 SPS, byte 15: pic_width_in_mbs_minus1 is 4096, expected less than 4096",
    );
    expect_error(FourCc::VVC, b"\xff", "vvc1 record, byte 0: the configuration of this codec is not read");
}

#[test]
fn multichannel_configurations() {
    let read = |data| MultichannelConfig::read(FourCc::OPUS, data).map(|config| (config.channels, config.order));
    assert_eq!(read(b"\x00\x03"), Ok((3, ChannelOrder::Unspecified)));
    assert_eq!(read(b"\x01\x02\0\0\0\x03"), Ok((2, ChannelOrder::Native(3))));
    assert_eq!(read(b"\x02\x03\x01\xfe\x00"), Ok((3, ChannelOrder::Custom(&[1, 254, 0]))));
    assert_eq!(read(b"\x07\x03"), Ok((3, ChannelOrder::Other(7))));
    assert_eq!(
        read(b"\x02\x03\x01\x00").unwrap_err().to_string(),
        "Opus MultichannelConfig, byte 4: ends inside audioChannelMapping"
    );
}

#[test]
fn filling_keeps_what_is_known_and_does_not_mix_codecs() {
    let mut known = config(FourCc::VP9, b"\x00\x29\x82\x02\x02\x02\x00\x00").unwrap();
    let frame = frame_config(FourCc::VP9, b"\x82\x49\x83\x42\x00\x13\xf0\x0b\x36").unwrap().unwrap();
    known.fill_from(config(FourCc::AVC, b"\x01\x4d\x40\x1f\xff\xe0\x00").unwrap());
    known.fill_from(config(FourCc::AAC, b"\x12\x10").unwrap());
    known.fill_from(frame);
    let known = video(known);
    let mut at_50 = config(FourCc::HEVC, HEVC_AT_50).unwrap();
    let without_rate = [&HEVC_AT_50[..19], b"\0\0\x01\0"].concat();
    at_50.fill_from(config(FourCc::HEVC, &without_rate).unwrap());
    assert_eq!(video(at_50).fps, Some(50.0));
    assert_eq!((known.codec, known.profile.as_str(), known.nal_length), (FourCc::VP9, "Profile 0 4.1", None));
    assert_eq!((known.width, known.height), (Some(320), Some(180)));
}
