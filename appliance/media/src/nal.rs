//! NAL units as they lie in FLV (length before each) and in byte streams (start code before each).

/// How many bytes the length before a NAL unit takes: `lengthSizeMinusOne` of the configuration record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NalLength {
    /// One byte.
    One,
    /// Two bytes.
    Two,
    /// Four bytes, as everybody does it.
    Four,
}

/// A NAL unit that is longer than what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {byte}: ends inside a NAL unit")]
pub struct CutOff {
    /// Where the length of that unit is, in bytes from the start of what was handed in.
    pub byte: usize,
}

/// The NAL units of a frame as it lies in FLV and MP4 (ISO/IEC 14496-15, the sample format of AVC), without their
/// lengths.
///
/// A unit that is cut off is an error and the last item. Units may be empty.
///
/// ```
/// use brookbox_media::{NalLength, length_prefixed};
///
/// let mut units = length_prefixed(b"\x00\x02\x65\x88\x00\x09\x41", NalLength::Two);
/// assert_eq!(units.next(), Some(Ok(&b"\x65\x88"[..])));
/// assert_eq!(units.next().unwrap().unwrap_err().byte, 4);
/// assert_eq!(units.next(), None);
/// ```
pub fn length_prefixed(data: &[u8], length: NalLength) -> impl Iterator<Item = Result<&[u8], CutOff>> {
    let (mut rest, mut byte) = (data, 0);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((unit, behind)) = first_unit(rest, length) else {
            rest = &[];
            return Some(Err(CutOff { byte }));
        };
        byte += rest.len() - behind.len();
        rest = behind;
        Some(Ok(unit))
    })
}

fn first_unit(data: &[u8], length: NalLength) -> Option<(&[u8], &[u8])> {
    let (size, rest) = match length {
        NalLength::One => data.split_first().map(|(size, rest)| (u32::from(*size), rest))?,
        NalLength::Two => data.split_first_chunk().map(|(size, rest)| (u16::from_be_bytes(*size).into(), rest))?,
        NalLength::Four => data.split_first_chunk().map(|(size, rest)| (u32::from_be_bytes(*size), rest))?,
    };
    rest.split_at_checked(usize::try_from(size).ok()?)
}

/// The NAL units of a byte stream (H.264 and H.265, annex B), without start codes and the zeros around them.
///
/// What lies before the first start code is left out.
///
/// ```
/// let stream = b"\x00\x00\x00\x01\x67\x64\x00\x00\x01\x68\xee\x00";
/// let units: Vec<_> = brookbox_media::annex_b(stream).collect();
/// assert_eq!(units, [b"\x67\x64", b"\x68\xee"]);
/// ```
pub fn annex_b(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = behind_start_code(data);
    std::iter::from_fn(move || {
        let start = rest?;
        rest = behind_start_code(start);
        let size = rest.map_or(start.len(), |behind| start.len() - behind.len() - START_CODE.len());
        let unit = start.get(..size)?;
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        unit.get(..size - zeros)
    })
}

const START_CODE: [u8; 3] = [0, 0, 1];

fn behind_start_code(data: &[u8]) -> Option<&[u8]> {
    let at = data.windows(START_CODE.len()).position(|window| window == START_CODE)?;
    data.get(at + START_CODE.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_streams() {
        let units = |data| annex_b(data).collect::<Vec<_>>();
        assert!(units(b"").is_empty());
        assert!(units(b"\x00\x00\x00").is_empty());
        assert_eq!(units(b"\xaa\x00\x00\x01\x09"), [b"\x09"]);
        assert_eq!(units(b"\x00\x00\x01\x00\x00\x01\x09"), [&b""[..], b"\x09"]);
        assert_eq!(units(b"\x00\x00\x01\x09\x00\x00\x00\x00\x01\x0a\x00\x00"), [b"\x09", b"\x0a"]);
    }

    #[test]
    fn lengths() {
        let units = |data, length| length_prefixed(data, length).collect::<Vec<_>>();
        assert!(units(b"", NalLength::Four).is_empty());
        assert_eq!(units(b"\x01\x65\x00\x01\x41", NalLength::One), [Ok(&b"\x65"[..]), Ok(b""), Ok(b"\x41")]);
        assert_eq!(units(b"\x00\x00\x00\x01\x65", NalLength::Four), [Ok(&b"\x65"[..])]);
        assert_eq!(units(b"\xff\xff\xff\xff\x65", NalLength::Four), [Err(CutOff { byte: 0 })]);
        assert_eq!(units(b"\x00\x00\x00\x00\x00", NalLength::Four), [Ok(&b""[..]), Err(CutOff { byte: 4 })]);
    }
}
