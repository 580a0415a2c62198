//! Comparing what was published with what arrived, packet by packet.
//!
//! The packets and their hashes are read by FFmpeg's `framemd5` muxer, not by code of this repository.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// One packet of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Decoding time, in the unit of its stream (ms in FLV).
    pub dts: i64,
    /// Presentation time, in the same unit.
    pub pts: i64,
    /// Bytes.
    pub size: u64,
    /// MD5 of its bytes.
    pub hash: String,
}

/// The packets of a file by stream kind, and each stream's configuration record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// By `video` or `audio`, in file order.
    pub streams: BTreeMap<String, Vec<Packet>>,
    /// Size and hash of the configuration record by the same names.
    pub configuration: BTreeMap<String, String>,
}

/// Reads a file's packets with the given FFmpeg (one that knows the file's codecs).
///
/// # Errors
/// FFmpeg cannot read it, or it has no packets.
pub fn read(ffmpeg: &Path, file: &Path) -> Result<Frames> {
    let text =
        process::output(Command::new(ffmpeg).args(["-nostdin", "-v", "error", "-copyts", "-i"]).arg(file).args([
            "-map",
            "0:v?",
            "-map",
            "0:a?",
            "-c",
            "copy",
            "-copyinkf",
            "-f",
            "framemd5",
            "-",
        ]))
        .with_context(|| format!("reading the packets of {}", file.display()))?;
    let frames = parse(&String::from_utf8(text)?)?;
    ensure!(!frames.streams.is_empty(), "{} has no packets", file.display());
    Ok(frames)
}

fn parse(text: &str) -> Result<Frames> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut frames = Frames::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("#media_type ") {
            let (index, kind) = rest.split_once(": ").context("a media type")?;
            kinds.insert(index, kind);
        } else if let Some(rest) = line.strip_prefix("#extradata ") {
            let (index, record) = rest.split_once(',').context("a configuration record")?;
            // FFmpeg writes this line before the media types: the index is kept and named below.
            frames
                .configuration
                .insert(index.trim().to_owned(), record.split_whitespace().collect::<Vec<_>>().join(" "));
        } else if !line.starts_with('#') && !line.is_empty() {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            let [index, dts, pts, _duration, size, hash, ..] = fields[..] else { bail!("odd framemd5 line: {line}") };
            let kind = kinds.get(index).with_context(|| format!("a stream that was not announced: {line}"))?;
            frames.streams.entry((*kind).to_owned()).or_default().push(Packet {
                dts: dts.parse()?,
                pts: pts.parse()?,
                size: size.parse()?,
                hash: hash.to_owned(),
            });
        }
    }
    let named = |(index, record): (String, String)| Some(((*kinds.get(index.as_str())?).to_owned(), record));
    frames.configuration = std::mem::take(&mut frames.configuration).into_iter().filter_map(named).collect();
    Ok(frames)
}

/// How much of what was published has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Every packet from the first to the last.
    All,
    /// One unbroken run of packets, from a keyframe on: for a destination that came later or was ended earlier.
    Run,
    /// What both files have, when each may have begun and ended at another moment: no hole from the first common packet
    /// to the last. Their writer gave each its own zero: times may differ by 1 ms, and sound against picture by one
    /// frame of sound, since OBS begins every output with the frame of sound that is nearest to its first picture.
    Overlap,
}

impl Part {
    /// By how many milliseconds the times of one stream may differ.
    fn rounding(self) -> u64 {
        u64::from(self == Self::Overlap)
    }

    /// By how many milliseconds sound and picture may be moved against each other: nothing, or 1024 samples at 44.1 kHz.
    fn shift(self) -> u64 {
        if self == Self::Overlap { 24 } else { 0 }
    }
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equal {
    /// Equal packets by stream kind.
    pub packets: BTreeMap<String, usize>,
}

impl std::fmt::Display for Equal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<_> = self.packets.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(f, "{} packets equal", parts.join(" and "))
    }
}

/// Compares bytes, order, times and configuration. Times may differ by one constant for the whole file, since each
/// connection has its own zero.
///
/// # Errors
/// Says the first difference of each stream, and what is missing or too much.
pub fn compare(published: &Frames, arrived: &Frames, part: Part) -> Result<Equal> {
    let mut faults = String::new();
    let mut packets = BTreeMap::new();
    let mut offsets: Vec<(i64, String)> = Vec::new();
    for (kind, sent) in &published.streams {
        let (sent, got) = match (part, arrived.streams.get(kind)) {
            (Part::Overlap, Some(got)) => overlap(sent, got),
            (_, got) => (&sent[..], got.map(Vec::as_slice)),
        };
        let Some(got) = got else {
            writeln!(faults, "{kind}: nothing arrived of {} packets", sent.len())?;
            continue;
        };
        match run(kind, sent, got, part) {
            Ok(start) => {
                packets.insert(kind.clone(), got.len());
                times(kind, &sent[start..], got, part.rounding(), &mut offsets, &mut faults)?;
            }
            Err(fault) => writeln!(faults, "{kind}: {fault}")?,
        }
        if published.configuration.get(kind) != arrived.configuration.get(kind) {
            let of = |frames: &Frames| frames.configuration.get(kind).cloned().unwrap_or_else(|| "none".into());
            writeln!(faults, "{kind}: configuration record differs: sent {}, got {}", of(published), of(arrived))?;
        }
    }
    for kind in arrived.streams.keys().filter(|kind| !published.streams.contains_key(*kind)) {
        writeln!(faults, "{kind}: arrived, but was never published")?;
    }
    if let [(first, _), rest @ ..] = &offsets[..]
        && rest.iter().any(|(offset, _)| offset.abs_diff(*first) > part.shift())
    {
        writeln!(faults, "audio and video were moved against each other: {offsets:?}")?;
    }
    ensure!(faults.is_empty(), "what arrived is not what was published:\n{faults}");
    Ok(Equal { packets })
}

/// Both from their first common packet on, and no longer than the shorter; nothing if they share none.
fn overlap<'a>(sent: &'a [Packet], got: &'a [Packet]) -> (&'a [Packet], Option<&'a [Packet]>) {
    let first = got.iter().enumerate().find_map(|(at, packet)| {
        let of_sent = sent.iter().position(|other| other.hash == packet.hash)?;
        Some((of_sent, at))
    });
    let Some((of_sent, of_got)) = first else { return (sent, None) };
    let (sent, got) = (&sent[of_sent..], &got[of_got..]);
    let common = sent.len().min(got.len());
    (&sent[..common], Some(&got[..common]))
}

/// Where in `sent` the run `got` starts.
fn run(kind: &str, sent: &[Packet], got: &[Packet], part: Part) -> Result<usize> {
    let first = got.first().context("an empty stream")?;
    let start = match part {
        Part::All | Part::Overlap => 0,
        Part::Run => sent.iter().position(|packet| packet.hash == first.hash).with_context(|| {
            format!("the first packet that arrived ({} bytes, {}) was never published", first.size, first.hash)
        })?,
    };
    let expected = &sent[start..];
    if let Some(at) = expected.iter().zip(got).position(|(a, b)| a.hash != b.hash) {
        let (a, b) = (&expected[at], &got[at]);
        let lost = expected[at..].iter().position(|packet| packet.hash == b.hash);
        bail!(
            "packet {at} of {} differs: sent {} bytes {} at {} ms, got {} bytes {} at {} ms; {}",
            got.len(),
            a.size,
            a.hash,
            a.dts,
            b.size,
            b.hash,
            b.dts,
            match lost {
                Some(count) => format!("{count} {kind} packets are missing there"),
                None => "what arrived there was never published".to_owned(),
            }
        );
    }
    if got.len() > expected.len() {
        bail!("{} packets more than were published", got.len() - expected.len());
    }
    if part == Part::All && got.len() < expected.len() {
        bail!("the last {} of {} packets are missing", expected.len() - got.len(), expected.len());
    }
    Ok(start)
}

fn times(
    kind: &str,
    sent: &[Packet],
    got: &[Packet],
    rounding: u64,
    offsets: &mut Vec<(i64, String)>,
    faults: &mut String,
) -> Result<()> {
    let (Some(a), Some(b)) = (sent.first(), got.first()) else { return Ok(()) };
    let offset = b.dts - a.dts;
    offsets.push((offset, kind.to_owned()));
    let off = |sent: i64, got: i64| (got - sent).abs_diff(offset) > rounding;
    let moved = sent.iter().zip(got).enumerate().find(|(_, (a, b))| off(a.dts, b.dts) || off(a.pts, b.pts));
    if let Some((at, (a, b))) = moved {
        writeln!(
            faults,
            "{kind}: packet {at} has another time: dts {} pts {} became dts {} pts {}, the stream's offset is {offset}",
            a.dts, a.pts, b.dts, b.pts
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(hashes: &str) -> Vec<Packet> {
        let packet = |(n, c): (usize, char)| {
            let dts = i64::try_from(n).expect("small") * 40;
            Packet { dts, pts: dts + 80, size: 9, hash: c.to_string() }
        };
        hashes.chars().enumerate().map(packet).collect()
    }

    fn frames(video: &str, audio: &str) -> Frames {
        let streams = [("video", video), ("audio", audio)].map(|(k, v)| (k.to_owned(), packets(v)));
        Frames { streams: streams.into(), configuration: [("video".to_owned(), "42 aa".to_owned())].into() }
    }

    fn difference(sent: &Frames, got: &Frames, part: Part) -> String {
        compare(sent, got, part).expect_err("must differ").to_string()
    }

    #[test]
    fn equal_files_are_equal_also_with_another_zero() {
        let sent = frames("abcdef", "uvw");
        let mut got = sent.clone();
        got.streams
            .values_mut()
            .flatten()
            .for_each(|packet| (packet.dts, packet.pts) = (packet.dts + 7, packet.pts + 7));
        assert_eq!(compare(&sent, &got, Part::All).expect("equal").to_string(), "3 audio and 6 video packets equal");
    }

    #[test]
    fn every_kind_of_damage_is_seen() {
        let sent = frames("abcdef", "uvw");
        assert!(difference(&sent, &frames("abcde", "uvw"), Part::All).contains("last 1 of 6"));
        assert!(difference(&sent, &frames("bcdef", "uvw"), Part::All).contains("packet 0 of 5 differs"));
        assert!(difference(&sent, &frames("abdef", "uvw"), Part::All).contains("1 video packets are missing"));
        assert!(difference(&sent, &frames("abXdef", "uvw"), Part::All).contains("never published"));
        assert!(difference(&sent, &frames("abdcef", "uvw"), Part::All).contains("packet 2 of 6 differs"));
        assert!(difference(&sent, &frames("abcdefg", "uvw"), Part::All).contains("1 packets more"));
        let mut silent = sent.clone();
        silent.streams.remove("audio");
        assert!(difference(&sent, &silent, Part::All).contains("audio: nothing arrived"));
        assert!(difference(&silent, &sent, Part::All).contains("was never published"));
    }

    #[test]
    fn moved_times_are_seen() {
        let sent = frames("abcdef", "uvw");
        let mut got = sent.clone();
        got.streams.get_mut("video").expect("video")[3].pts += 1;
        assert!(difference(&sent, &got, Part::All).contains("packet 3 has another time"));
        let mut got = sent.clone();
        got.streams.get_mut("audio").expect("audio").iter_mut().for_each(|p| (p.dts, p.pts) = (p.dts + 1, p.pts + 1));
        assert!(difference(&sent, &got, Part::All).contains("moved against each other"));
    }

    #[test]
    fn another_configuration_is_seen() {
        let sent = frames("ab", "uv");
        let mut got = sent.clone();
        got.configuration.insert("video".into(), "42 bb".into());
        assert!(difference(&sent, &got, Part::All).contains("configuration record differs"));
    }

    #[test]
    fn a_run_may_start_late_and_end_early_but_has_no_hole() {
        let sent = frames("abcdef", "uvwxyz");
        let mut run = frames("cde", "wxy");
        for packet in run.streams.values_mut().flatten() {
            (packet.dts, packet.pts) = (packet.dts + 3, packet.pts + 3);
        }
        assert!(compare(&sent, &run, Part::Run).is_ok());
        assert!(difference(&sent, &frames("cdf", "wxy"), Part::Run).contains("1 video packets are missing"));
        assert!(difference(&sent, &frames("Xde", "wxy"), Part::Run).contains("never published"));
    }

    #[test]
    fn an_overlap_may_begin_and_end_anywhere_but_has_no_hole() {
        let sent = frames("cdefgh", "vwx");
        let mut got = frames("abcdef", "uvw");
        got.streams.get_mut("audio").expect("audio").iter_mut().for_each(|p| (p.dts, p.pts) = (p.dts + 40, p.pts + 40));
        assert_eq!(compare(&sent, &got, Part::Overlap).expect("equal").packets["video"], 4);
        assert!(difference(&sent, &frames("abcdfg", "uvw"), Part::Overlap).contains("1 video packets are missing"));
        assert!(difference(&sent, &frames("xyz", "uvw"), Part::Overlap).contains("video: nothing arrived"));
    }

    #[test]
    fn ffmpegs_own_format_is_read() {
        let text = "#format: frame checksums\n#version: 2\n#hash: MD5\n#extradata 0,              40, 8bcf\n\
                    #software: Lavf\n#tb 0: 1/1000\n#media_type 0: video\n#codec_id 0: h264\n\
                    0,          0,         66,       33,     5120, 0cc175b9\n";
        let frames = parse(text).expect("parses");
        assert_eq!(frames.streams["video"], [Packet { dts: 0, pts: 66, size: 5120, hash: "0cc175b9".into() }]);
        assert_eq!(frames.configuration["video"], "40, 8bcf");
    }
}
