//! What a person would notice on a screen in front of them: a picture that stands still, and silence.

use std::collections::VecDeque;

use brookbox_media::FourCc;
use opus_decoder::OpusDecoder;
use symphonia_codec_aac::AacDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// A picture stands still after so many seconds of next to nothing.
const FROZEN_S: u32 = 10;
/// … and moves again after so many seconds of something.
const MOVES_S: u32 = 2;
/// Next to nothing: less than one in so many of what its frames usually have.
const FAR_BELOW: u64 = 20;
/// What is usual is the middle of so many seconds, once there are so many.
const USUAL_S: usize = 60;
const USUAL_LEAST_S: usize = 15;
/// Frames that are usually smaller than this say nothing by being smaller still, bytes.
const TELLING: u64 = 256;
/// It is silent after so many seconds below this peak, dBFS.
const SILENT_S: u32 = 20;
const SILENT_DBFS: f64 = -60.0;

/// Whether the picture moves. Fed once a second with the mean size of the second's inter frames: keyframes are as large
/// when nothing moves, and so is what fills a constant bitrate.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    usual: VecDeque<u64>,
    low_s: u32,
    high_s: u32,
    pub(crate) frozen: bool,
}

impl Picture {
    /// A second has passed; `None`: no inter frame came.
    pub(crate) fn second(&mut self, mean: Option<u64>) {
        let usual = self.usual();
        let is_low = match (mean, usual) {
            (Some(mean), Some(usual)) => mean.saturating_mul(FAR_BELOW) < usual,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_low {
            (self.low_s, self.high_s) = (self.low_s + 1, 0);
        } else {
            (self.low_s, self.high_s) = (0, self.high_s.saturating_add(1));
            if let Some(mean) = mean {
                if self.usual.len() >= USUAL_S {
                    self.usual.pop_front();
                }
                self.usual.push_back(mean);
            }
        }
        self.frozen = if self.frozen { self.high_s < MOVES_S } else { self.low_s >= FROZEN_S };
    }

    fn usual(&self) -> Option<u64> {
        let mut sorted: Vec<_> = self.usual.iter().copied().collect();
        sorted.sort_unstable();
        let middle = sorted.get(sorted.len() / 2).copied();
        middle.filter(|middle| sorted.len() >= USUAL_LEAST_S && *middle >= TELLING)
    }
}

/// Whether there is sound.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    quiet_s: u32,
    pub(crate) silent: bool,
}

impl Sound {
    /// A second has passed with this peak, dBFS; `None`: it was not measured.
    pub(crate) fn second(&mut self, peak: Option<f64>) {
        match peak {
            Some(peak) if peak < SILENT_DBFS => self.quiet_s += 1,
            Some(_) => self.quiet_s = 0,
            None => {}
        }
        self.silent = self.quiet_s >= SILENT_S;
    }

    /// Whether it may be silent: the last that was measured was.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet_s > 0
    }
}

/// Decodes a little of each second. What it cannot decode is not measured.
pub(crate) enum Ear {
    Aac(Box<AacDecoder>),
    /// With the samples of one packet, for each of its channels.
    Opus(Box<OpusDecoder>, Vec<f32>),
}

/// Frames after a beginning in the middle that do not count. The first of AAC overlaps with one that is not known; Opus
/// needs 80 ms to get there (RFC 7845, section 4.2), which are four packets of the usual length.
const AAC_UNSURE: usize = 1;
const OPUS_UNSURE: usize = 4;
const OPUS_RATE: u32 = 48_000;

impl Ear {
    /// For AAC with its `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1) or mono or stereo Opus with its ID header
    /// (RFC 7845, section 5.1); `None` for what is not measured.
    pub(crate) fn new(codec: FourCc, config: &[u8]) -> Option<Self> {
        match codec {
            FourCc::AAC => {
                let mut parameters = AudioCodecParameters::new();
                parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.into());
                AacDecoder::try_new(&parameters, &AudioDecoderOptions::default())
                    .ok()
                    .map(|decoder| Self::Aac(Box::new(decoder)))
            }
            FourCc::OPUS => {
                const CHANNELS: usize = 9;
                const FAMILY: usize = 18;
                let is_head = config.starts_with(b"OpusHead") && config.get(FAMILY) == Some(&0);
                let channels = usize::from(*config.get(CHANNELS).filter(|_| is_head)?);
                let decoder = OpusDecoder::new(OPUS_RATE, channels).ok()?;
                let room = decoder.max_frame_size_per_channel() * channels;
                Some(Self::Opus(Box::new(decoder), vec![0.0; room]))
            }
            _ => None,
        }
    }

    /// The peak of frames that follow each other, dBFS.
    pub(crate) fn peak(&mut self, frames: &[Vec<u8>]) -> Option<f64> {
        let mut loudest: Option<f32> = None;
        let mut hear = |samples: &[f32]| {
            let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            loudest = Some(loudest.map_or(peak, |loudest| loudest.max(peak)));
        };
        let frames = frames.iter().enumerate().filter(|(_, frame)| !frame.is_empty());
        match self {
            Self::Aac(decoder) => {
                decoder.reset();
                for (number, frame) in frames {
                    let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(1024), frame);
                    let Ok(decoded) = decoder.decode_ref(&packet) else { continue };
                    let mut samples = vec![0.0_f32; decoded.samples_interleaved()];
                    decoded.copy_to_slice_interleaved(&mut samples);
                    if number >= AAC_UNSURE {
                        hear(&samples);
                    }
                }
            }
            Self::Opus(decoder, samples) => {
                decoder.reset();
                let channels = samples.len() / decoder.max_frame_size_per_channel().max(1);
                for (number, frame) in frames {
                    let Ok(count) = decoder.decode_float(frame, samples, false) else { continue };
                    if number >= OPUS_UNSURE {
                        hear(samples.get(..count * channels).unwrap_or_default());
                    }
                }
            }
        }
        // Nothing at all is as quiet as 24 bits get.
        loudest.map(|peak| (20.0 * f64::from(peak).log10()).max(-144.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(picture: &mut Picture, seconds: u32, mean: Option<u64>) -> bool {
        (0..seconds).for_each(|_| picture.second(mean));
        picture.frozen
    }

    #[test]
    fn a_picture_that_stands_still_is_noticed_after_ten_seconds() {
        let mut picture = Picture::default();
        assert!(!fed(&mut picture, 30, Some(20_000)));
        assert!(!fed(&mut picture, 9, Some(150)));
        assert!(fed(&mut picture, 1, Some(150)));
        assert!(fed(&mut picture, 600, Some(150)), "what is usual stays what it was");
        assert!(fed(&mut picture, 1, Some(19_000)));
        assert!(!fed(&mut picture, 1, Some(19_000)));
        assert!(!fed(&mut picture, 9, None));
        assert!(fed(&mut picture, 1, None), "no frames at all is as bad");
    }

    #[test]
    fn what_was_always_small_or_gets_smaller_slowly_is_not_frozen() {
        let mut picture = Picture::default();
        assert!(!fed(&mut picture, 300, Some(90)), "a talk with slides");
        assert!(!fed(&mut picture, 300, None), "keyframes alone say nothing: what is usual is a few bytes");
        let mut picture = Picture::default();
        assert!(!fed(&mut picture, 30, Some(20_000)));
        assert!(!fed(&mut picture, 300, Some(2_000)), "a quiet scene");
        assert!(!fed(&mut Picture::default(), 300, None), "nothing but keyframes from the start");
    }

    #[test]
    fn silence_is_noticed_after_twenty_seconds() {
        let mut sound = Sound::default();
        for _ in 0..19 {
            sound.second(Some(-80.0));
        }
        assert!(!sound.silent);
        sound.second(None);
        assert!(!sound.silent, "what was not measured is neither");
        sound.second(Some(-60.1));
        assert!(sound.silent);
        sound.second(Some(-59.9));
        assert!(!sound.silent);
    }

    /// Frames of raw AAC out of ADTS (ISO/IEC 14496-3, 1.A.2.2), which FFmpeg makes.
    fn aac(filter: &str) -> Vec<Vec<u8>> {
        let out = std::process::Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", filter, "-t", "1"])
            .args(["-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-ac", "2", "-f", "adts", "-"])
            .output()
            .expect("ffmpeg is installed");
        let (mut rest, mut frames) = (&out.stdout[..], Vec::new());
        while rest.len() > 7 {
            let len = usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5;
            frames.push(rest[7..len].to_vec());
            rest = &rest[len..];
        }
        assert!(frames.len() > 40);
        frames
    }

    #[test]
    fn the_peak_of_real_aac_is_what_was_put_in() {
        let mut ear = Ear::new(FourCc::AAC, &[0x11, 0x90]).unwrap();
        // lavfi's sine has an amplitude of an eighth, -18 dBFS, and each of two channels gets 3 dB less of it.
        let tone = ear.peak(&aac("sine=frequency=440:sample_rate=48000")[10..22]).unwrap();
        assert!((-22.5..=-19.5).contains(&tone), "{tone}");
        let faint = ear.peak(&aac("sine=frequency=440:sample_rate=48000,volume=-50dB")[10..22]).unwrap();
        assert!(faint < SILENT_DBFS, "{faint}");
        let nothing = ear.peak(&aac("anullsrc=r=48000:cl=stereo")[10..22]).unwrap();
        assert!(nothing < -90.0, "{nothing}");
    }

    #[test]
    fn what_is_no_aac_is_not_measured() {
        assert!(Ear::new(FourCc::AAC, &[]).is_none() && Ear::new(FourCc::AAC, &[0xff]).is_none());
        assert!(Ear::new(FourCc::FLAC, &[0x11, 0x90]).is_none());
        let mut ear = Ear::new(FourCc::AAC, &[0x11, 0x90]).unwrap();
        assert_eq!(ear.peak(&[]), None);
        let cut = aac("sine=frequency=440:sample_rate=48000")[10][..20].to_vec();
        assert_eq!(ear.peak(&[vec![], vec![], vec![0x55; 400], cut]), None);
        // A frame may end before it begins: nothing is in it, and that is silence.
        assert_eq!(ear.peak(&[vec![0xe0], vec![0xe0]]), Some(-144.0));
    }

    /// Packets of Opus out of Ogg (RFC 3533, section 6), which FFmpeg makes; the ID header first.
    fn opus(filter: &str, channels: &str) -> Vec<Vec<u8>> {
        let out = std::process::Command::new("ffmpeg")
            .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", filter, "-t", "1"])
            .args(["-c:a", "libopus", "-b:a", "96k", "-ar", "48000", "-ac", channels, "-f", "ogg", "-"])
            .output()
            .expect("ffmpeg is installed");
        let (mut rest, mut packets, mut open) = (&out.stdout[..], Vec::new(), Vec::new());
        while rest.starts_with(b"OggS") {
            let count = usize::from(rest[26]);
            let (lengths, mut body) = rest[27..].split_at(count);
            for &length in lengths {
                let (part, after) = body.split_at(usize::from(length));
                open.extend_from_slice(part);
                body = after;
                if length < 255 {
                    packets.push(std::mem::take(&mut open));
                }
            }
            rest = body;
        }
        assert!(packets.len() > 40, "{}", packets.len());
        packets
    }

    #[test]
    fn the_peak_of_real_opus_is_what_was_put_in() {
        for channels in ["1", "2"] {
            let packets = opus("sine=frequency=440:sample_rate=48000", channels);
            let mut ear = Ear::new(FourCc::OPUS, &packets[0]).unwrap();
            let tone = ear.peak(&packets[20..32]).unwrap();
            assert!((-22.5..=-17.0).contains(&tone), "{channels}: {tone}");
            let faint = ear.peak(&opus("sine=frequency=440:sample_rate=48000,volume=-50dB", channels)[20..32]).unwrap();
            assert!(faint < SILENT_DBFS, "{channels}: {faint}");
            let nothing = ear.peak(&opus("anullsrc=r=48000:cl=stereo", channels)[20..32]).unwrap();
            assert!(nothing < -80.0, "{channels}: {nothing}");
        }
    }

    #[test]
    fn what_is_no_opus_is_not_measured() {
        let head = b"OpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0";
        assert!(Ear::new(FourCc::OPUS, &head[..18]).is_none() && Ear::new(FourCc::OPUS, b"").is_none());
        let mut surround = head.to_vec();
        (surround[9], surround[18]) = (6, 1);
        assert!(Ear::new(FourCc::OPUS, &surround).is_none());
        let mut ear = Ear::new(FourCc::OPUS, head).unwrap();
        assert_eq!(ear.peak(&[]), None);
        // Anything at all: an error or a peak, and never the end of the program.
        for first in 0..=u8::MAX {
            let frames: Vec<_> = (0..8).map(|length| vec![first; length * 40]).collect();
            let _ = ear.peak(&frames);
        }
    }
}
