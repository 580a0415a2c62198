//! Reads bits, most significant first, and says which field it was when there are none left.

use crate::{Cause, Error, FourCc};

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A place in a structure of a record. Fields are read in order; every read names its field for the error.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    codec: FourCc,
    part: &'static str,
    /// What is left after `current`.
    rest: &'a [u8],
    /// Where `rest` starts in the whole record.
    at: usize,
    current: u8,
    /// Bits of `current` that are left.
    left: u8,
    /// Whether 03 after two zeros is no data (`emulation_prevention_three_byte`, H.264 and H.265 7.3.1.1).
    escaped: bool,
    zeros: u8,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(codec: FourCc, part: &'static str, data: &'a [u8]) -> Self {
        Self { codec, part, rest: data, at: 0, current: 0, left: 0, escaped: false, zeros: 0 }
    }

    /// Takes the next `size` bytes to be read as a structure of their own. To be used at a byte boundary.
    pub(crate) fn part(&mut self, part: &'static str, size: usize) -> Result<Self> {
        let at = self.at;
        let data = self.bytes(size, part)?;
        Ok(Self { at, ..Self::new(self.codec, part, data) })
    }

    /// The same place, where what follows is a NAL unit.
    pub(crate) fn escaped(self) -> Self {
        Self { escaped: true, zeros: 0, ..self }
    }

    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool> {
        if self.left == 0 {
            self.current = self.next_byte().ok_or_else(|| self.error(Cause::Ends { field }))?;
            self.left = 8;
        }
        self.left -= 1;
        Ok(self.current >> self.left & 1 == 1)
    }

    /// `u(count)` of up to 32 bits.
    pub(crate) fn u(&mut self, count: u8, field: &'static str) -> Result<u32> {
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.flag(field)?)))
    }

    /// `u(count)` of up to 8 bits.
    pub(crate) fn u8(&mut self, count: u8, field: &'static str) -> Result<u8> {
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u8::from(self.flag(field)?)))
    }

    /// A number of bytes, in two bytes.
    pub(crate) fn size16(&mut self, field: &'static str) -> Result<usize> {
        (0..16).try_fold(0, |value, _| Ok(value << 1 | usize::from(self.flag(field)?)))
    }

    /// `ue(v)`: H.264 9.1, H.265 9.2.
    pub(crate) fn ue(&mut self, field: &'static str) -> Result<u32> {
        let mut zeros = 0;
        while !self.flag(field)? {
            zeros += 1;
            self.check(field, zeros, "at most 31 leading zeros", zeros <= 31)?;
        }
        let mut value = 1;
        for _ in 0..zeros {
            value = value << 1 | u32::from(self.flag(field)?);
        }
        Ok(value - 1)
    }

    /// `ue(v)` that may be no larger than `most`.
    pub(crate) fn ue_to(&mut self, most: u8, field: &'static str, expected: &'static str) -> Result<u8> {
        let value = self.ue(field)?;
        match u8::try_from(value) {
            Ok(small) if small <= most => Ok(small),
            _ => Err(self.wrong(field, value, expected)),
        }
    }

    /// `se(v)`, whose value nobody needs: it is as long as `ue(v)`.
    pub(crate) fn skip_se(&mut self, field: &'static str) -> Result<()> {
        self.ue(field).map(|_| ())
    }

    pub(crate) fn skip(&mut self, count: u16, field: &'static str) -> Result<()> {
        (0..count).try_for_each(|_| self.flag(field).map(|_| ()))
    }

    pub(crate) fn align(&mut self) {
        self.left = 0;
    }

    /// The next bytes as they are. To be used at a byte boundary, not in a NAL unit.
    pub(crate) fn bytes(&mut self, size: usize, field: &'static str) -> Result<&'a [u8]> {
        debug_assert!(self.left == 0 && !self.escaped);
        let Some((bytes, rest)) = self.rest.split_at_checked(size) else {
            self.at += self.rest.len();
            return Err(self.error(Cause::Ends { field }));
        };
        (self.rest, self.at) = (rest, self.at + size);
        Ok(bytes)
    }

    /// How many bytes are left behind the one that is being read.
    pub(crate) fn bytes_left(&self) -> usize {
        self.rest.len()
    }

    /// How many bits are left; not in a NAL unit.
    pub(crate) fn bits_left(&self) -> usize {
        self.rest.len().saturating_mul(8) + usize::from(self.left)
    }

    /// An error unless `right`.
    pub(crate) fn check(&self, field: &'static str, value: u32, expected: &'static str, right: bool) -> Result<()> {
        if right { Ok(()) } else { Err(self.wrong(field, value, expected)) }
    }

    /// The field that ends here has a wrong value.
    pub(crate) fn wrong(&self, field: &'static str, value: u32, expected: &'static str) -> Error {
        let at = self.at.saturating_sub(1);
        Error { byte: at, ..self.error(Cause::Value { field, value, expected }) }
    }

    fn error(&self, cause: Cause) -> Error {
        Error { codec: self.codec, part: self.part, byte: self.at, cause }
    }

    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = self.take_byte()?;
        if self.escaped {
            if self.zeros >= 2 && byte == 3 {
                self.zeros = 0;
                byte = self.take_byte()?;
            }
            self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        }
        Some(byte)
    }

    fn take_byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        (self.rest, self.at) = (rest, self.at + 1);
        Some(*byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(data: &[u8]) -> Bits<'_> {
        Bits::new(FourCc::AVC, "test", data)
    }

    #[test]
    fn exp_golomb() {
        // 1 010 011 00100 00101 00110 00111, H.264 table 9-2.
        let mut bits = bits(&[0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0000]);
        let read: Vec<_> = (0..7).map(|_| bits.ue("x").unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn exp_golomb_goes_to_2_to_the_32_minus_2_and_no_further() {
        assert_eq!(bits(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).ue("x"), Ok(u32::MAX - 1));
        let error = bits(&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]).ue("x").unwrap_err();
        assert!(matches!(error.cause, Cause::Value { value: 32, .. }), "{error}");
    }

    #[test]
    fn emulation_prevention_is_taken_out_and_counted() {
        let mut bits = bits(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 2]).escaped();
        let read: Vec<_> = (0..8).map(|_| bits.u(8, "x").unwrap()).collect();
        assert_eq!(read, [0, 0, 1, 0, 0, 0, 0, 2]);
        assert_eq!(bits.u(8, "x").unwrap_err().byte, 11);
    }

    #[test]
    fn three_is_data_where_nothing_is_escaped() {
        let mut bits = bits(&[0, 0, 3]);
        assert_eq!(bits.u(24, "x"), Ok(3));
    }

    #[test]
    fn errors_count_from_the_start_of_the_record() {
        let mut record = bits(&[9, 9, 1, 2]);
        record.skip(16, "x").unwrap();
        let mut part = record.part("inside", 2).unwrap();
        part.skip(16, "y").unwrap();
        assert_eq!(part.flag("z").unwrap_err().to_string(), "avc1 inside, byte 4: ends inside z");
    }
}
