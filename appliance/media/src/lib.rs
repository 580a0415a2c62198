//! What is inside FLV and Enhanced RTMP tag bodies: codecs, configuration, keyframes.
//!
//! A *tag body* is what an RTMP audio or video message carries, and what an FLV file keeps behind its tag header: the
//! bytes from the `AudioTagHeader` or `VideoTagHeader` on. This crate reads such bodies. It does no I/O, knows no
//! clocks, and nothing that it is handed makes it panic or use more than a small, fixed amount of memory.

mod fourcc;
mod tag;

pub use fourcc::FourCc;
pub use tag::{Features, Kind, Media, Packet, Packets, Role, Summary, packets, summary};
