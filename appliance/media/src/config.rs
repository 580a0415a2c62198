//! What a stream is: resolution, frame rate, profile, channels, read from configuration records and first frames.

use std::fmt;

use crate::codec::{aac, ac3, av1, avc, flac, hevc, mp3, opus, vpx};
use crate::{Cause, Error, FourCc, NalLength};

/// What is known of a track's coding.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// A video track.
    Video(VideoConfig),
    /// An audio track.
    Audio(AudioConfig),
}

/// What is known of a video track's coding.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct VideoConfig {
    /// The codec.
    pub codec: FourCc,
    /// Profile and level for people: `High 4.2`, `Main 10 5.1 (High tier)`.
    pub profile: String,
    /// Width in luma samples, after cropping.
    pub width: Option<u32>,
    /// Height in luma samples, after cropping: of a frame for interlaced AVC, of a field for HEVC coded in fields.
    pub height: Option<u32>,
    /// Frames per second that the stream's own headers state; two fields make a frame. Most AV1 and VP9 streams state
    /// nothing, and neither do streams of variable frame rate, or they state their highest.
    pub fps: Option<f64>,
    /// Bits for each luma sample.
    pub bit_depth: Option<u8>,
    /// How much colour there is.
    pub chroma: Option<Chroma>,
    /// Whether pictures may be coded as fields.
    pub interlaced: Option<bool>,
    /// Whether frames may have to be shown in another order than they are sent, as with B-frames. If the stream does
    /// not say (`None`), the first composition time that is not 0 does. Never with AV1, VP8 and VP9, which keep frames
    /// back inside a packet instead.
    pub b_frames: Option<bool>,
    /// How long the lengths before NAL units are, where there are NAL units.
    pub nal_length: Option<NalLength>,
}

/// What is known of an audio track's coding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioConfig {
    /// The codec.
    pub codec: FourCc,
    /// The profile for people: `LC`, `HE-AAC v2`, `Layer III`; empty where the codec has none.
    pub profile: String,
    /// Samples per second as they are played, in Hz.
    pub sample_rate: Option<u32>,
    /// Channels, a low-frequency one included.
    pub channels: Option<u8>,
}

/// How much colour there is beside the luma samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chroma {
    /// None.
    Monochrome,
    /// Half in both directions.
    Yuv420,
    /// Half across.
    Yuv422,
    /// As much as luma; also RGB.
    Yuv444,
}

impl fmt::Display for Chroma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Monochrome => "4:0:0",
            Self::Yuv420 => "4:2:0",
            Self::Yuv422 => "4:2:2",
            Self::Yuv444 => "4:4:4",
        })
    }
}

/// Reads the configuration record that a [`Kind::SequenceStart`](crate::Kind::SequenceStart) packet carries.
///
/// What the record does not say is `None`: VP8 and VP9 records hold no resolution, AC-3, E-AC-3 and MP3 have no record
/// at all (senders leave it empty). [`frame_config`] reads it from a frame then. HE-AAC whose record keeps silent about
/// it (implicit signalling, ISO/IEC 14496-3 1.6.5.1) is told as what the record describes: its core, at half the rate.
///
/// | codec | record |
/// | --- | --- |
/// | `avc1` | `AVCDecoderConfigurationRecord`, ISO/IEC 14496-15:2019 5.3.4.1; or parameter sets as a byte stream |
/// | `hvc1` | `HEVCDecoderConfigurationRecord`, ISO/IEC 14496-15:2022 8.3.3.2; or parameter sets as a byte stream |
/// | `av01` | `AV1CodecConfigurationRecord`, AV1 in ISOBMFF 2.3 |
/// | `vp08`, `vp09` | `VPCodecConfigurationRecord`, VP in ISOBMFF, with the box's version and flags or without |
/// | `mp4a` | `AudioSpecificConfig`, ISO/IEC 14496-3 1.6.2.1 |
/// | `Opus` | identification header, RFC 7845 5.1 |
/// | `fLaC` | `fLaC` and STREAMINFO, RFC 9639 8.1 and 8.2; or the 34 bytes of STREAMINFO, as FFmpeg sends it |
/// | `ac-3`, `ec-3`, `.mp3` | nothing, or a frame |
///
/// # Errors
/// A record that is cut off or has impossible values, and codecs that are not in the table.
///
/// ```
/// use brookbox_media::{Config, FourCc, config};
///
/// let Config::Audio(audio) = config(FourCc::AAC, &[0x12, 0x10])? else { unreachable!() };
/// assert_eq!(audio.profile, "LC");
/// assert_eq!((audio.sample_rate, audio.channels), (Some(44_100), Some(2)));
/// # Ok::<(), brookbox_media::Error>(())
/// ```
pub fn config(codec: FourCc, record: &[u8]) -> Result<Config, Error> {
    match codec {
        FourCc::AVC => avc::record(record).map(Config::Video),
        FourCc::HEVC => hevc::record(record).map(Config::Video),
        FourCc::AV1 => av1::record(record).map(Config::Video),
        FourCc::VP8 | FourCc::VP9 => vpx::record(codec, record).map(Config::Video),
        FourCc::AAC => aac::record(record).map(Config::Audio),
        FourCc::OPUS => opus::record(record).map(Config::Audio),
        FourCc::FLAC => flac::record(record).map(Config::Audio),
        FourCc::AC3 | FourCc::EAC3 | FourCc::MP3 if record.is_empty() => Ok(Config::Audio(AudioConfig::of(codec))),
        FourCc::AC3 | FourCc::EAC3 => ac3::frame(codec, record).map(Config::Audio),
        FourCc::MP3 => mp3::frame(record).map(Config::Audio),
        _ => Err(Error { codec, part: "record", byte: 0, cause: Cause::Codec }),
    }
}

/// Reads what a coded frame says of its stream: the data of a [`Kind::Frames`](crate::Kind::Frames) packet.
///
/// `None` if this frame says nothing: an inter frame, a frame of AAC or Opus, a keyframe without parameter sets. NAL
/// units are taken to have lengths of four bytes.
///
/// # Errors
/// A frame whose header is cut off or has impossible values, and codecs that [`config`] does not know.
pub fn frame_config(codec: FourCc, frame: &[u8]) -> Result<Option<Config>, Error> {
    match codec {
        FourCc::AVC => Ok(avc::frame(frame)?.map(Config::Video)),
        FourCc::HEVC => Ok(hevc::frame(frame)?.map(Config::Video)),
        FourCc::AV1 => Ok(av1::frame(frame)?.map(Config::Video)),
        FourCc::VP8 => Ok(vpx::vp8_frame(frame)?.map(Config::Video)),
        FourCc::VP9 => Ok(vpx::vp9_frame(frame)?.map(Config::Video)),
        FourCc::AC3 | FourCc::EAC3 => ac3::frame(codec, frame).map(Config::Audio).map(Some),
        FourCc::MP3 => mp3::frame(frame).map(Config::Audio).map(Some),
        FourCc::AAC | FourCc::OPUS | FourCc::FLAC => Ok(None),
        _ => Err(Error { codec, part: "frame", byte: 0, cause: Cause::Codec }),
    }
}

impl Config {
    /// The codec.
    #[must_use]
    pub fn codec(&self) -> FourCc {
        match self {
            Self::Video(video) => video.codec,
            Self::Audio(audio) => audio.codec,
        }
    }

    /// Takes what is not known yet from `other`, if that is of the same codec: a record that says little and the first
    /// keyframe together make a whole.
    ///
    /// ```
    /// use brookbox_media::{Config, FourCc, config, frame_config};
    ///
    /// let mut known = config(FourCc::AC3, b"")?; // as FFmpeg sends it
    /// if let Some(more) = frame_config(FourCc::AC3, b"\x0b\x77\x2b\xa7\x1e\x40\xeb\xf8")? {
    ///     known.fill_from(more);
    /// }
    /// let Config::Audio(audio) = known else { unreachable!() };
    /// assert_eq!((audio.sample_rate, audio.channels), (Some(48_000), Some(6)));
    /// # Ok::<(), brookbox_media::Error>(())
    /// ```
    pub fn fill_from(&mut self, other: Self) {
        match (self, other) {
            (Self::Video(known), Self::Video(other)) if known.codec == other.codec => {
                if known.profile.is_empty() {
                    known.profile = other.profile;
                }
                if (known.width, known.height) == (None, None) {
                    (known.width, known.height) = (other.width, other.height);
                }
                known.fps = known.fps.or(other.fps);
                known.bit_depth = known.bit_depth.or(other.bit_depth);
                known.chroma = known.chroma.or(other.chroma);
                known.interlaced = known.interlaced.or(other.interlaced);
                known.b_frames = known.b_frames.or(other.b_frames);
                known.nal_length = known.nal_length.or(other.nal_length);
            }
            (Self::Audio(known), Self::Audio(other)) if known.codec == other.codec => {
                if known.profile.is_empty() {
                    known.profile = other.profile;
                }
                known.sample_rate = known.sample_rate.or(other.sample_rate);
                known.channels = known.channels.or(other.channels);
            }
            _ => {}
        }
    }
}

impl VideoConfig {
    pub(crate) fn of(codec: FourCc) -> Self {
        Self {
            codec,
            profile: String::new(),
            width: None,
            height: None,
            fps: None,
            bit_depth: None,
            chroma: None,
            interlaced: None,
            b_frames: None,
            nal_length: None,
        }
    }
}

impl AudioConfig {
    pub(crate) fn of(codec: FourCc) -> Self {
        Self { codec, profile: String::new(), sample_rate: None, channels: None }
    }
}

impl Chroma {
    /// `chroma_format_idc` of H.264 and H.265.
    pub(crate) fn from_idc(idc: u8) -> Option<Self> {
        Some(match idc {
            0 => Self::Monochrome,
            1 => Self::Yuv420,
            2 => Self::Yuv422,
            3 => Self::Yuv444,
            _ => return None,
        })
    }

    /// How many luma samples one chroma sample spans, across and down.
    pub(crate) fn subsampling(self) -> (u32, u32) {
        match self {
            Self::Monochrome | Self::Yuv444 => (1, 1),
            Self::Yuv420 => (2, 2),
            Self::Yuv422 => (2, 1),
        }
    }
}
