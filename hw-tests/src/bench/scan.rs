//! Finds the frames in a chunk stream without keeping them: cheap enough to stand beside what is measured.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::wire::kind;

/// One coded frame that came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// When the read returned that had its last byte.
    pub(super) at: Instant,
    /// Tells it from its neighbours: type, length and first bytes.
    pub(super) fingerprint: u64,
    /// A picture, not sound.
    pub(super) picture: bool,
}

/// Walks through chunks.
#[derive(Debug)]
pub(super) struct Scanner {
    chunk_size: usize,
    /// Bytes of an unfinished chunk header.
    header: Vec<u8>,
    streams: HashMap<u32, Stream>,
    /// Chunk stream and bytes left of the chunk whose payload is being read.
    current: Option<(u32, usize)>,
}

#[derive(Debug, Default)]
struct Stream {
    length: usize,
    kind: u8,
    extended: bool,
    /// Bytes of the message that have come by.
    seen: usize,
    /// The first of them.
    first: [u8; 32],
}

impl Scanner {
    pub(super) fn new(chunk_size: usize) -> Self {
        Self { chunk_size, header: Vec::new(), streams: HashMap::new(), current: None }
    }

    /// Takes bytes and tells of each coded frame of legacy H.264 and AAC that they end.
    pub(super) fn scan(&mut self, mut bytes: &[u8], at: Instant, mut tell: impl FnMut(Frame)) -> Result<()> {
        while !bytes.is_empty() {
            let Some((csid, left)) = self.current else {
                let (byte, rest) = bytes.split_at(1);
                self.header.extend_from_slice(byte);
                bytes = rest;
                self.try_header()?;
                continue;
            };
            let stream = self.streams.entry(csid).or_default();
            let (part, rest) = bytes.split_at(left.min(bytes.len()));
            if let Some(room) = stream.first.get_mut(stream.seen..) {
                let count = room.len().min(part.len());
                room[..count].copy_from_slice(&part[..count]);
            }
            stream.seen += part.len();
            bytes = rest;
            self.current = (left > part.len()).then_some((csid, left - part.len()));
            if stream.seen == stream.length {
                let done = std::mem::take(&mut stream.seen);
                if stream.kind == kind::CHUNK_SIZE {
                    let [a, b, c, d, ..] = stream.first;
                    self.chunk_size = u32::from_be_bytes([a, b, c, d]) as usize;
                    ensure!(self.chunk_size > 0, "chunk size 0");
                } else if matches!(stream.kind, kind::AUDIO | kind::VIDEO) && done > 2 && stream.first[1] == 1 {
                    tell(Frame { at, fingerprint: stream.fingerprint(), picture: stream.kind == kind::VIDEO });
                }
            }
        }
        Ok(())
    }

    /// Understands the header if all of it is there.
    fn try_header(&mut self) -> Result<()> {
        let header = &self.header;
        let (format, low) = (header[0] >> 6, header[0] & 0x3f);
        let basic = match low {
            0 => 2,
            1 => 3,
            _ => 1,
        };
        if header.len() < basic {
            return Ok(());
        }
        let csid = match low {
            0 => 64 + u32::from(header[1]),
            1 => 64 + u32::from(header[1]) + 256 * u32::from(header[2]),
            n => u32::from(n),
        };
        let fields = [11, 7, 3, 0][usize::from(format)];
        if header.len() < basic + fields {
            return Ok(());
        }
        let stream = self.streams.entry(csid).or_default();
        let message = &header[basic..];
        let extended = if format < 3 { message[..3] == [0xff; 3] } else { stream.extended };
        if extended && header.len() < basic + fields + 4 {
            return Ok(());
        }
        ensure!(format == 3 || stream.seen == 0, "a new message inside a message");
        if format < 2 {
            stream.length = usize::from(message[3]) << 16 | usize::from(message[4]) << 8 | usize::from(message[5]);
            stream.kind = message[6];
        }
        stream.extended = extended;
        self.header.clear();
        self.current = Some((csid, (stream.length - stream.seen).min(self.chunk_size))).filter(|(_, left)| *left > 0);
        Ok(())
    }
}

impl Stream {
    fn fingerprint(&self) -> u64 {
        let first = &self.first[..self.length.min(self.first.len())];
        let start = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(self.kind) ^ ((self.length as u64) << 8);
        first.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Message, chunks};

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let body = |second: u8, length: usize| {
            let mut body = vec![7; length];
            (body[0], body[1]) = (0x17, second);
            body
        };
        let message = |kind, timestamp, body| Message { kind, stream_id: 1, timestamp, body };
        let mut bytes = chunks(6, &message(9, 0, body(0, 60)), 128);
        bytes.extend(chunks(6, &message(9, 40, body(1, 5000)), 128));
        bytes.extend(chunks(2, &message(1, 0, 4096_u32.to_be_bytes().to_vec()), 128));
        bytes.extend(chunks(4, &message(8, 0x0100_0000, body(1, 6000)), 4096));
        bytes.extend(chunks(18, &message(18, 0, body(1, 300)), 4096));
        for cut in [1, 11, 4096, 100_000] {
            let mut scanner = Scanner::new(128);
            let mut found = Vec::new();
            for part in bytes.chunks(cut) {
                scanner.scan(part, Instant::now(), |frame| found.push(frame.picture)).expect("well formed");
            }
            assert_eq!(found, [true, false], "cut into {cut}");
        }
    }
}
