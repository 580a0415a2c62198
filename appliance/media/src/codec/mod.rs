//! One codec each.

use crate::NalLength;
use crate::bits::{Bits, Result};

pub(crate) mod aac;
pub(crate) mod ac3;
pub(crate) mod av1;
pub(crate) mod avc;
pub(crate) mod flac;
pub(crate) mod hevc;
pub(crate) mod mp3;
pub(crate) mod opus;
pub(crate) mod vpx;

/// `lengthSizeMinusOne`, the last field of its byte in the records of AVC and HEVC.
fn nal_length(bits: &mut Bits<'_>) -> Result<NalLength> {
    match bits.u8(2, "lengthSizeMinusOne")? {
        0 => Ok(NalLength::One),
        1 => Ok(NalLength::Two),
        3 => Ok(NalLength::Four),
        other => Err(bits.wrong("lengthSizeMinusOne", other.into(), "0, 1 or 3")),
    }
}

/// Whether data is a byte stream and no record: a record starts with its version, which is not 0.
fn is_annex_b(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// Where `part` of `whole` starts.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

/// What is left of a side after cropping both of its ends, in units of `unit` samples.
fn cropped(bits: &Bits<'_>, size: u32, ends: [u32; 2], unit: u32) -> Result<u32> {
    let cut = ends[0].checked_add(ends[1]).and_then(|cut| cut.checked_mul(unit));
    cut.and_then(|cut| size.checked_sub(cut))
        .filter(|left| *left > 0)
        .ok_or_else(|| bits.wrong("cropping", cut.unwrap_or(u32::MAX), "less than the picture"))
}

/// Frames per second beyond which a clock that need not be a frame rate is none: streams of variable rate state the
/// clock of their timestamps in the same place, 1000 Hz and more.
const MOST_FRAMES_PER_SECOND: f64 = 240.0;

/// Frames per second, from the ticks of a stream's clock.
fn frame_rate(ticks_per_second: u32, ticks_per_frame: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and it is at most 2^34")]
    (ticks_per_second > 0 && ticks_per_frame > 0).then(|| f64::from(ticks_per_second) / ticks_per_frame as f64)
}
