//! Four-character codec names.

use std::fmt;

/// The four characters that name a codec in Enhanced RTMP (*Enhanced Video*, `VideoFourCc`; *Enhanced Audio*,
/// `AudioFourCc`).
///
/// The codec numbers of legacy FLV have a name here too, see [`legacy_video`](Self::legacy_video) and
/// [`legacy_audio`](Self::legacy_audio), so that the rest of the box need not care which way a stream was sent.
///
/// ```
/// use brookbox_media::FourCc;
///
/// assert_eq!(FourCc::HEVC.to_string(), "hvc1");
/// assert_eq!(FourCc::new(*b"hvc1"), FourCc::HEVC);
/// assert_eq!(FourCc::legacy_audio(10), FourCc::AAC);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FourCc([u8; 4]);

impl FourCc {
    /// AVC, H.264.
    pub const AVC: Self = Self(*b"avc1");
    /// HEVC, H.265.
    pub const HEVC: Self = Self(*b"hvc1");
    /// VVC, H.266.
    pub const VVC: Self = Self(*b"vvc1");
    /// AV1.
    pub const AV1: Self = Self(*b"av01");
    /// VP8.
    pub const VP8: Self = Self(*b"vp08");
    /// VP9.
    pub const VP9: Self = Self(*b"vp09");
    /// AAC.
    pub const AAC: Self = Self(*b"mp4a");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");
    /// FLAC.
    pub const FLAC: Self = Self(*b"fLaC");
    /// AC-3.
    pub const AC3: Self = Self(*b"ac-3");
    /// E-AC-3.
    pub const EAC3: Self = Self(*b"ec-3");
    /// MP3.
    pub const MP3: Self = Self(*b".mp3");

    /// The name with these four bytes, whatever they are.
    #[must_use]
    pub const fn new(name: [u8; 4]) -> Self {
        Self(name)
    }

    /// The four bytes as they are on the wire.
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// The name for the `CodecID` of a legacy `VideoTagHeader` (FLV 10.1, E.4.3.1): 7 is AVC, and 12 is HEVC as many
    /// encoders have sent it without any specification. For codecs that Enhanced RTMP has no name for it is the one
    /// used in AVI. A number that nobody has defined is kept as the last of four bytes, the first three being zero.
    #[must_use]
    pub const fn legacy_video(id: u8) -> Self {
        match id {
            2 => Self(*b"FLV1"),
            3 => Self(*b"FSV1"),
            4 => Self(*b"VP6F"),
            5 => Self(*b"VP6A"),
            6 => Self(*b"FSV2"),
            7 => Self::AVC,
            12 => Self::HEVC,
            other => Self([0, 0, 0, other]),
        }
    }

    /// The name for the `SoundFormat` of a legacy `AudioTagHeader` (FLV 10.1, E.4.2.1): 10 is AAC, 2 and 14 (at 8 kHz)
    /// are MP3. Others are handled as in [`legacy_video`](Self::legacy_video).
    #[must_use]
    pub const fn legacy_audio(format: u8) -> Self {
        match format {
            0 => Self(*b"lpcm"),
            1 => Self(*b"SWFa"),
            2 | 14 => Self::MP3,
            3 => Self(*b"sowt"),
            4..=6 => Self(*b"NELL"),
            7 => Self(*b"alaw"),
            8 => Self(*b"ulaw"),
            10 => Self::AAC,
            11 => Self(*b"spex"),
            other => Self([0, 0, 0, other]),
        }
    }

    /// Whether coded frames of this codec carry a composition time (E-RTMP, *Enhanced Video*, `CodedFrames`).
    pub(crate) fn has_composition_time(self) -> bool {
        matches!(self, Self::AVC | Self::HEVC | Self::VVC)
    }
}

/// The four characters; or `#` and the number of an unknown legacy codec; or hexadecimal digits.
impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [0, 0, 0, id] => write!(f, "#{id}"),
            name if name.iter().all(|byte| (0x20..0x7f).contains(byte)) => {
                name.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
            }
            other => write!(f, "0x{:08x}", u32::from_be_bytes(other)),
        }
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::FourCc;

    #[test]
    fn shows_what_is_printable_and_spells_out_what_is_not() {
        assert_eq!(FourCc::MP3.to_string(), ".mp3");
        assert_eq!(FourCc::legacy_video(9).to_string(), "#9");
        assert_eq!(FourCc::new(*b"a\nb\x1b").to_string(), "0x610a621b");
    }

    #[test]
    fn legacy_numbers_have_the_names_of_their_enhanced_kin() {
        assert_eq!(FourCc::legacy_video(7), FourCc::AVC);
        assert_eq!(FourCc::legacy_video(12), FourCc::HEVC);
        assert_eq!(FourCc::legacy_audio(2), FourCc::MP3);
        assert_eq!(FourCc::legacy_audio(14), FourCc::MP3);
        assert_ne!(FourCc::legacy_audio(12), FourCc::HEVC);
    }
}
