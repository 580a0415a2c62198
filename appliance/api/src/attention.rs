//! What a person would notice on a screen in front of them: a picture that stands still, and silence.

use std::collections::VecDeque;

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
pub(crate) struct Ear {
    decoder: AacDecoder,
}

impl Ear {
    /// For AAC with this `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1).
    pub(crate) fn new(config: &[u8]) -> Option<Self> {
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.into());
        AacDecoder::try_new(&parameters, &AudioDecoderOptions::default()).ok().map(|decoder| Self { decoder })
    }

    /// The peak of frames that follow each other, dBFS. The first one overlaps with what is not known and does not count.
    pub(crate) fn peak(&mut self, frames: &[Vec<u8>]) -> Option<f64> {
        self.decoder.reset();
        let mut loudest: Option<f32> = None;
        for (number, frame) in frames.iter().enumerate().filter(|(_, frame)| !frame.is_empty()) {
            let packet = PacketRef::new(0, Timestamp::new(0), Duration::new(1024), frame);
            let Ok(decoded) = self.decoder.decode_ref(&packet) else { continue };
            let mut samples = vec![0.0_f32; decoded.samples_interleaved()];
            decoded.copy_to_slice_interleaved(&mut samples);
            if number > 0 {
                let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
                loudest = Some(loudest.map_or(peak, |loudest| loudest.max(peak)));
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
        let mut ear = Ear::new(&[0x11, 0x90]).unwrap();
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
        assert!(Ear::new(&[]).is_none() && Ear::new(&[0xff]).is_none());
        let mut ear = Ear::new(&[0x11, 0x90]).unwrap();
        assert_eq!(ear.peak(&[]), None);
        let cut = aac("sine=frequency=440:sample_rate=48000")[10][..20].to_vec();
        assert_eq!(ear.peak(&[vec![], vec![], vec![0x55; 400], cut]), None);
        // A frame may end before it begins: nothing is in it, and that is silence.
        assert_eq!(ear.peak(&[vec![0xe0], vec![0xe0]]), Some(-144.0));
    }
}
