//! `brookbox-media` fed with anything: nothing panics, and what is said to be known is possible.

use brookbox_media::{
    Config, Error, FlvTag, FourCc, Media, MultichannelConfig, NalLength, Packet, Role, annex_b, config, flv_tag_header,
    flv_tag_trailer, flv_tags, frame_config, length_prefixed, packets as packets_of, summary,
};

/// A tag body; the first byte chooses the kind of message.
pub fn packets(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let media = [Media::Video, Media::Audio, Media::Data][usize::from(choice % 3)];

    let mut packets: Vec<Packet> = Vec::new();
    let mut read_to = body.as_ptr() as usize;
    for (packet, data) in packets_of(media, body) {
        let start = data.as_ptr() as usize;
        assert!(read_to <= start, "handed out twice");
        read_to = start + data.len();
        assert!((-(1 << 23)..1 << 23).contains(&packet.composition_ms));
        assert!(packet.nano_offset < 1 << 24);
        packets.push(packet);
    }
    assert_eq!(read_to, body.as_ptr() as usize + body.len(), "bytes were left out");
    assert!((1..=257).contains(&packets.len()));

    let all = summary(media, body);
    if packets.iter().all(|packet| packet.kind == packets[0].kind && packet.role == packets[0].role) {
        assert_eq!((all.role, all.kind), (packets[0].role, packets[0].kind));
    } else {
        assert!(matches!(all.role, Role::Key | Role::Inter | Role::Audio | Role::Unknown));
    }
    assert_eq!(all.features, packets_of(media, body).features());
    let understood = packets.iter().filter(|packet| packet.role != Role::Unknown);
    assert_eq!(all.track, understood.map(|packet| packet.track).min().unwrap_or(packets[0].track));
}

/// The tags of an FLV file behind its header; the first byte says where the file is cut in two.
pub fn flv(data: &[u8]) {
    let Some((cut, data)) = data.split_first() else { return };
    let mut reader = flv_tags(data);
    let tags: Vec<FlvTag<'_>> = reader.by_ref().collect();
    assert!(data.ends_with(reader.rest()));
    let mut read_to = data.as_ptr() as usize;
    for tag in &tags {
        let start = tag.body.as_ptr() as usize;
        assert!(read_to < start, "a tag begins inside of the one before");
        read_to = start + tag.body.len();
    }
    assert!(read_to <= reader.rest().as_ptr() as usize, "a body reaches into the rest");

    let (before, after) = data.split_at(data.len() * usize::from(*cut) / 255);
    let mut first = flv_tags(before);
    let mut pieces: Vec<FlvTag<'_>> = first.by_ref().collect();
    let rest = [first.rest(), after].concat();
    let mut second = flv_tags(&rest);
    pieces.extend(second.by_ref());
    assert_eq!(pieces, tags, "it matters where the file is cut");
    assert_eq!(second.rest(), reader.rest());

    let mut written = Vec::new();
    for tag in &tags {
        let len = u32::try_from(tag.body.len()).expect("a tag's length has 24 bits");
        written.extend_from_slice(&flv_tag_header(tag.media, tag.timestamp, len));
        written.extend_from_slice(tag.body);
        written.extend_from_slice(&flv_tag_trailer(len));
    }
    let mut again = flv_tags(&written);
    assert!(again.by_ref().eq(tags), "what is written is read again");
    assert!(again.rest().is_empty());
}

/// A configuration record, and a frame as well; the first byte chooses the codec.
pub fn config_and_frame(data: &[u8]) {
    const CODECS: [FourCc; 13] = [
        FourCc::AVC,
        FourCc::HEVC,
        FourCc::AV1,
        FourCc::VP9,
        FourCc::VP8,
        FourCc::AAC,
        FourCc::OPUS,
        FourCc::FLAC,
        FourCc::AC3,
        FourCc::EAC3,
        FourCc::MP3,
        FourCc::VVC,
        FourCc::new([0xff; 4]),
    ];
    let Some((choice, data)) = data.split_first() else { return };
    let codec = CODECS[usize::from(*choice) % CODECS.len()];

    let record = config(codec, data).map_err(|error| within(error, codec, data)).ok();
    let frame = frame_config(codec, data).map_err(|error| within(error, codec, data)).ok().flatten();
    for known in [&record, &frame].into_iter().flatten() {
        possible(known, codec);
    }
    if let (Some(mut known), Some(more)) = (record, frame) {
        known.fill_from(more);
        possible(&known, codec);
    }

    if let Ok(layout) = MultichannelConfig::read(codec, data) {
        assert_eq!(layout.channels, data[1]);
    }
    for length in [NalLength::One, NalLength::Two, NalLength::Four] {
        let units: Vec<_> = length_prefixed(data, length).collect();
        let (last, before) = units.split_last().map_or((None, &[][..]), |(last, before)| (Some(last), before));
        assert!(before.iter().all(Result::is_ok), "something follows what is cut off");
        assert!(last.is_none_or(|last| last.as_ref().err().is_none_or(|cut| cut.byte < data.len())));
    }
    for unit in annex_b(data) {
        assert!(!unit.windows(3).any(|at| at == [0, 0, 1]));
        assert_ne!(unit.last(), Some(&0));
    }
}

fn within(error: Error, codec: FourCc, data: &[u8]) {
    assert_eq!(error.codec, codec);
    assert!(error.byte <= data.len(), "{error} in {} bytes", data.len());
    assert!(error.to_string().starts_with(&codec.to_string()));
}

fn possible(config: &Config, expected: FourCc) {
    assert_eq!(config.codec(), expected);
    match config {
        Config::Video(video) => {
            assert_eq!(video.width.is_some(), video.height.is_some());
            assert!([video.width, video.height].into_iter().flatten().all(|side| (1..=1 << 17).contains(&side)));
            assert!(video.fps.is_none_or(|fps| fps.is_finite() && fps > 0.0));
            assert!(video.bit_depth.is_none_or(|depth| (8..=16).contains(&depth)));
            assert!(!video.profile.is_empty());
        }
        Config::Audio(audio) => {
            assert!(audio.sample_rate.is_none_or(|rate| rate > 0 && rate < 1 << 24));
            assert!(audio.channels.is_none_or(|channels| channels > 0));
        }
    }
}
