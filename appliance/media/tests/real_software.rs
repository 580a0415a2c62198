//! Files by real encoders, compared with what other software says of them. See `fixtures/make.py`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use brookbox_media::{
    Config, FourCc, Kind, Media, MultichannelConfig, Packet, Role, config, frame_config, packets, summary,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The tags of an FLV file (FLV 10.1, E.3 and E.4.1).
fn tags(name: &str) -> Vec<(Media, Vec<u8>)> {
    let file = fs::read(fixtures().join(format!("{name}.flv"))).unwrap();
    let mut rest = &file[13..];
    let mut tags = Vec::new();
    while let [kind, high, middle, low, _, _, _, _, _, _, _, behind @ ..] = rest {
        let (body, behind) = behind.split_at(u32::from_be_bytes([0, *high, *middle, *low]) as usize);
        let media = match kind {
            8 => Media::Audio,
            9 => Media::Video,
            18 => Media::Data,
            other => panic!("tag type {other}"),
        };
        tags.push((media, body.to_vec()));
        rest = &behind[4..];
    }
    assert!(!tags.is_empty());
    tags
}

/// What is known of each track after its record and its first frame.
fn read(tags: &[(Media, Vec<u8>)]) -> BTreeMap<(bool, u8), Config> {
    let mut known: BTreeMap<_, Config> = BTreeMap::new();
    for (media, body) in tags {
        for (packet, data) in packets(*media, body) {
            let place = (*media == Media::Video, packet.track);
            let found = match (packet.kind, packet.codec) {
                (Kind::SequenceStart, Some(codec)) => Some(config(codec, data).unwrap()),
                (Kind::Frames, Some(codec)) if packet.role != Role::Inter => frame_config(codec, data).unwrap(),
                _ => None,
            };
            if let Some(found) = found {
                known.entry(place).and_modify(|known| known.fill_from(found.clone())).or_insert(found);
            }
        }
    }
    known
}

fn notes() -> Vec<(String, BTreeMap<String, String>)> {
    let mut notes = Vec::new();
    for entry in fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "txt") {
            let text = fs::read_to_string(&path).unwrap();
            let facts = text.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
            let facts = facts.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            notes.push((path.file_stem().unwrap().to_str().unwrap().to_owned(), facts));
        }
    }
    notes.sort();
    notes
}

fn fps(fact: &str) -> Option<f64> {
    let (frames, seconds) = fact.split_once('/')?;
    Some(frames.parse::<f64>().unwrap() / seconds.parse::<f64>().unwrap())
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

#[test]
fn configuration_is_what_ffprobe_and_the_encoders_say() {
    let notes = notes();
    assert!(notes.len() > 70, "fixtures are missing");
    let mut wrong = Vec::new();
    for (name, mut facts) in notes {
        let Some(codec) = facts.remove("codec") else { continue };
        facts.remove("made");
        let known = read(&tags(&name));
        assert_eq!(known.len(), 1, "{name}");
        let found = known.into_values().next().unwrap();
        let mut said = BTreeMap::new();
        assert_eq!(found.codec().to_string(), codec, "{name}");
        match found {
            Config::Video(video) => {
                let expected_fps = fps(&facts.remove("fps").unwrap());
                if expected_fps != video.fps {
                    wrong.push(format!("{name}: fps {:?}, expected {expected_fps:?}", video.fps));
                }
                said.insert("profile", video.profile);
                said.insert("width", text(video.width));
                said.insert("height", text(video.height));
                said.insert("depth", text(video.bit_depth));
                said.insert("chroma", text(video.chroma));
                said.insert("interlaced", text(video.interlaced));
                said.insert("reordered", text(video.b_frames));
            }
            Config::Audio(audio) => {
                said.insert("profile", audio.profile);
                said.insert("rate", text(audio.sample_rate));
                said.insert("channels", text(audio.channels));
            }
        }
        for (fact, expected) in &facts {
            // ffprobe does not tell VP9's level, the record does.
            let said_of = said.get_mut(fact.as_str());
            if let (Some(said), "vp09", "profile") = (said_of, &*codec, &**fact) {
                said.truncate(expected.len());
            }
            if said.get(fact.as_str()) != Some(expected) {
                wrong.push(format!("{name}: {fact} {:?}, expected {expected:?}", said.get(fact.as_str())));
            }
        }
        assert_eq!(facts.len(), said.len(), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What lies in a file: all packets of a kind.
fn of_kind(tags: &[(Media, Vec<u8>)], kind: Kind) -> Vec<(Packet, &[u8])> {
    let all = tags.iter().flat_map(|(media, body)| packets(*media, body));
    all.filter(|(packet, _)| packet.kind == kind).collect()
}

#[test]
fn files_begin_with_configuration_and_a_keyframe() {
    for (name, facts) in notes() {
        let tags = tags(&name);
        let mut video =
            tags.iter().filter(|(media, _)| *media == Media::Video).map(|(media, body)| summary(*media, body));
        if !facts.contains_key("width") {
            assert!(
                of_kind(&tags, Kind::Frames)
                    .iter()
                    .all(|(packet, _)| packet.role == Role::Audio || name.contains("track"))
            );
            continue;
        }
        assert_eq!(video.next().unwrap().kind, Kind::SequenceStart, "{name}");
        let first = video.find(|summary| summary.kind == Kind::Frames).unwrap();
        assert_eq!((first.role, first.features.multitrack), (Role::Key, false), "{name}");
        assert_eq!(first.features.enhanced, facts["codec"] != "avc1", "{name}");
        let inter = video.any(|summary| summary.role == Role::Inter);
        assert_eq!(inter, !name.contains("intra") && !name.contains("still"), "{name}");
    }
}

#[test]
fn frames_are_composed_later_exactly_where_the_parameter_sets_say_so() {
    for (name, facts) in notes() {
        if let Some(reordered) = facts.get("reordered") {
            let tags = tags(&name);
            let frames = of_kind(&tags, Kind::Frames);
            let later = frames.iter().any(|(packet, _)| packet.composition_ms != 0);
            assert_eq!(later.to_string(), *reordered, "{name}");
        }
    }
}

#[test]
fn colour_and_channel_layouts_are_configuration_too() {
    for name in ["hevc-main", "av1-svt", "vp9"] {
        let tags = tags(name);
        let metadata = of_kind(&tags, Kind::Metadata);
        assert_eq!(metadata.len(), 1, "{name}");
        assert_eq!(metadata[0].0.role, Role::Config, "{name}");
        assert!(metadata[0].1.starts_with(b"\x02\x00\x09colorInfo"), "{name}");
    }
    for (name, channels) in
        [("opus-5.1", 6), ("opus-7.1", 8), ("ac3-5.1", 6), ("eac3-5.1", 6), ("flac-5.1-96000-24", 6)]
    {
        let tags = tags(name);
        let configs = of_kind(&tags, Kind::MultichannelConfig);
        assert_eq!(configs.len(), 1, "{name}");
        let (packet, data) = configs[0];
        assert_eq!(MultichannelConfig::read(packet.codec.unwrap(), data).unwrap().channels, channels, "{name}");
    }
}

#[test]
fn every_track_of_a_multitrack_file_is_found() {
    let found = |name| {
        let known = read(&tags(name)).into_iter();
        known.map(|((video, track), config)| (video, track, config.codec())).collect::<Vec<_>>()
    };
    assert_eq!(
        found("multitrack-video"),
        [(false, 0, FourCc::AAC), (false, 1, FourCc::OPUS), (true, 0, FourCc::AVC), (true, 1, FourCc::HEVC)]
    );
    assert_eq!(
        found("multitrack-av1"),
        [(false, 0, FourCc::FLAC), (false, 1, FourCc::FLAC), (true, 0, FourCc::AV1), (true, 1, FourCc::AV1)]
    );
    let known = read(&tags("multitrack-video"));
    let Config::Video(second) = &known[&(true, 1)] else { panic!() };
    assert_eq!((second.width, second.height), (Some(160), Some(90)));
}

/// A record ends where its last structure does, so a cut is seen everywhere but behind what may be left out.
#[test]
fn a_record_that_is_cut_off_is_an_error() {
    let mut cuts = 0;
    for (name, _) in notes() {
        let tags = tags(&name);
        for (packet, record) in of_kind(&tags, Kind::SequenceStart) {
            let codec = packet.codec.unwrap();
            let whole = config(codec, record).unwrap_or_else(|error| panic!("{name}: {error}"));
            for cut in 0..record.len() {
                let left_out = match codec {
                    // Chroma format and bit depths, four bytes which the parameter sets say too.
                    FourCc::AVC => record.len() - cut <= 4,
                    // OBUs.
                    FourCc::AV1 => cut == 4,
                    // What is said of SBR and PS behind the rest.
                    FourCc::AAC => cut >= 2 && config(codec, &record[..cut]).is_ok(),
                    FourCc::OPUS => cut == 0,
                    _ => false,
                };
                match config(codec, &record[..cut]) {
                    Ok(cut) => assert!(left_out, "{name}: {cut:?} from less than {whole:?}"),
                    Err(error) => assert!(error.byte <= cut, "{name}: {error} in {cut} bytes"),
                }
                cuts += 1;
            }
        }
    }
    assert!(cuts > 3000, "{cuts}");
}
