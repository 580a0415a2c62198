//! What is inside FLV and Enhanced RTMP tag bodies: codecs, configuration, keyframes.
//!
//! A *tag body* is what an RTMP audio or video message carries, and what an FLV file keeps behind its tag header: the
//! bytes from the `AudioTagHeader` or `VideoTagHeader` on. This crate reads such bodies. It does no I/O and knows no
//! clocks. Nothing that it is handed makes it panic, and the work is bounded by the bytes handed in.
//!
//! There are two layers:
//!
//! 1. For every message: [`packets`] takes a body apart into its tracks' packets, [`summary`] tells of the message as a
//!    whole what a relay has to know. Both allocate nothing and never fail; what they do not understand is
//!    [`Role::Unknown`], to be passed on as it is.
//! 2. When configuration comes, and at a first frame: [`config`] reads a codec's configuration record, [`frame_config`]
//!    what a coded frame says of itself, [`MultichannelConfig`] a loudspeaker layout. What a stream does not say is
//!    `None`; what it says wrongly is an [`Error`] that names the structure, the byte and the field.
//!
//! Around bodies: the FLV container ([`flv_header`], [`flv_tag_header`], [`flv_tags`]).
//!
//! Underneath: NAL units as they lie in FLV ([`length_prefixed`]) and in byte streams ([`annex_b`]).
//!
//! # Units
//! Composition times are in ms, timestamp offsets in ns, sizes in luma samples, rates in Hz and frames per second,
//! positions in bytes.
//!
//! # Specifications
//! Legacy tags: *Adobe Flash Video File Format Specification* 10.1, E.4.2 and E.4.3. Enhanced tags: *Enhanced RTMP
//! (V2)* v2-2026-01-31-r2, *Enhanced Audio*, *Enhanced Video* and *Metadata Frame*; V1 is a part of it. Each codec's module
//! names its own. Beyond them, as the field does it: HEVC as legacy codec 12; FLAC's STREAMINFO without its signature;
//! VP9's record with an MP4 box's version in front; parameter sets as a byte stream in place of a record.
//!
//! # Example
//! What FFmpeg sends first of a stream of H.264 and AAC:
//!
//! ```
//! use brookbox_media::{Config, FourCc, Kind, Media, config, packets};
//!
//! # fn main() -> Result<(), brookbox_media::Error> {
//! let video = b"\x17\0\0\0\0\x01\x64\0\x0c\xff\xe1\0\x1a\x67\x64\0\x0c\xac\xd9\x41\x41\x9f\x9f\x01\x10\0\0\x03\0\x10\
//!     \0\0\x03\x03\x20\xf1\x42\x99\x60\x01\0\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\0";
//! for (packet, data) in packets(Media::Video, video) {
//!     if let (Kind::SequenceStart, Some(codec)) = (packet.kind, packet.codec) {
//!         let Config::Video(config) = config(codec, data)? else { continue };
//!         assert_eq!(codec, FourCc::AVC);
//!         assert_eq!((config.width, config.height, config.fps), (Some(320), Some(180), Some(25.0)));
//!         assert_eq!((config.profile.as_str(), config.b_frames), ("High 1.2", Some(true)));
//!     }
//! }
//!
//! let audio = b"\xaf\0\x12\x08\x56\xe5\0";
//! let (packet, data) = packets(Media::Audio, audio).next().expect("there is at least one packet");
//! let Config::Audio(config) = config(packet.codec.unwrap_or(FourCc::AAC), data)? else { unreachable!() };
//! assert_eq!((config.sample_rate, config.channels), (Some(44_100), Some(1)));
//! # Ok(())
//! # }
//! ```

mod bits;
mod codec;
mod config;
mod error;
mod flv;
mod fourcc;
mod multichannel;
mod nal;
mod tag;

pub use config::{AudioConfig, Chroma, Config, VideoConfig, config, frame_config};
pub use error::{Cause, Error};
pub use flv::{FlvTag, FlvTags, TAG_HEADER, TAG_TRAILER, flv_header, flv_tag_header, flv_tag_trailer, flv_tags};
pub use fourcc::FourCc;
pub use multichannel::{ChannelOrder, MultichannelConfig};
pub use nal::{CutOff, NalLength, annex_b, length_prefixed};
pub use tag::{Features, Kind, Media, Packet, Packets, Role, Summary, packets, summary};
