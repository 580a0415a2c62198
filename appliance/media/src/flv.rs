//! The FLV container around tag bodies: what a file or a live HTTP answer begins with, and what stands around each tag.
//!
//! *Adobe Flash Video File Format Specification* 10.1, E.2 to E.4.1.

use crate::Media;

/// Bytes before a tag's body.
pub const TAG_HEADER: usize = 11;
/// Bytes behind it: the size of the tag.
pub const TAG_TRAILER: usize = 4;

/// The file header with the size of the tag before the first one. A player waits for both kinds that are announced here.
#[must_use]
pub const fn flv_header(audio: bool, video: bool) -> [u8; 13] {
    let flags = (audio as u8) << 2 | video as u8;
    [b'F', b'L', b'V', 1, flags, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// What stands before a body of `len` bytes (below 2^24), at `timestamp` ms modulo 2^32.
#[must_use]
pub fn flv_tag_header(media: Media, timestamp: u32, len: u32) -> [u8; TAG_HEADER] {
    let kind = match media {
        Media::Audio => 8,
        Media::Video => 9,
        Media::Data => 18,
    };
    let [_, l0, l1, l2] = len.to_be_bytes();
    let [high, t0, t1, t2] = timestamp.to_be_bytes();
    [kind, l0, l1, l2, t0, t1, t2, high, 0, 0, 0]
}

/// What stands behind a body of `len` bytes.
#[must_use]
pub fn flv_tag_trailer(len: u32) -> [u8; TAG_TRAILER] {
    len.saturating_add(11).to_be_bytes()
}

/// A tag found in FLV bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlvTag<'a> {
    /// What it holds.
    pub media: Media,
    /// ms modulo 2^32.
    pub timestamp: u32,
    /// The tag body.
    pub body: &'a [u8],
}

/// The whole tags at the start of `bytes`, which begin at a tag. What follows the last whole one is left to the caller:
/// [`FlvTags::rest`]. Tags of other kinds are passed over.
#[must_use]
pub const fn flv_tags(bytes: &[u8]) -> FlvTags<'_> {
    FlvTags { rest: bytes }
}

/// See [`flv_tags`].
#[derive(Clone, Debug)]
pub struct FlvTags<'a> {
    rest: &'a [u8],
}

impl<'a> FlvTags<'a> {
    /// What was not taken yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for FlvTags<'a> {
    type Item = FlvTag<'a>;

    fn next(&mut self) -> Option<FlvTag<'a>> {
        loop {
            let (header, after) = self.rest.split_first_chunk::<TAG_HEADER>()?;
            let [kind, l0, l1, l2, t0, t1, t2, high, ..] = *header;
            let len = u32::from_be_bytes([0, l0, l1, l2]);
            let (body, trailed) = after.split_at_checked(usize::try_from(len).ok()?)?;
            let (_, rest) = trailed.split_at_checked(TAG_TRAILER)?;
            self.rest = rest;
            let media = match kind {
                8 => Media::Audio,
                9 => Media::Video,
                18 => Media::Data,
                _ => continue,
            };
            return Some(FlvTag { media, timestamp: u32::from_be_bytes([high, t0, t1, t2]), body });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_the_specification_has_them() {
        assert_eq!(flv_header(true, true), *b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
        assert_eq!(flv_header(true, false)[4], 4);
        assert_eq!(flv_header(false, true)[4], 1);
        let header = flv_tag_header(Media::Video, 0x0102_0304, 0x0a_0b0c);
        assert_eq!(header, [9, 0x0a, 0x0b, 0x0c, 2, 3, 4, 1, 0, 0, 0], "the high byte of the time stands last");
        assert_eq!(flv_tag_trailer(5), [0, 0, 0, 16]);
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_waits() {
        let mut bytes = Vec::new();
        let tags = [(Media::Data, 0, &b"meta"[..]), (Media::Audio, 23, b"a"), (Media::Video, u32::MAX, b"")];
        for (media, time, body) in tags {
            let len = u32::try_from(body.len()).unwrap();
            bytes.extend(flv_tag_header(media, time, len));
            bytes.extend(body);
            bytes.extend(flv_tag_trailer(len));
        }
        let whole: Vec<_> = flv_tags(&bytes).map(|tag| (tag.media, tag.timestamp, tag.body)).collect();
        assert_eq!(whole, tags);
        for cut in 0..bytes.len() {
            let mut found = flv_tags(&bytes[..cut]);
            let count = found.by_ref().count();
            assert!(count < 3);
            // What is left and what was missing make up the rest.
            let mut rest = found.rest().to_vec();
            rest.extend(&bytes[cut..]);
            assert_eq!(flv_tags(&rest).count(), 3 - count, "cut at {cut}");
        }
    }
}
