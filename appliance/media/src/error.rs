//! What is wrong with a configuration record, and where.

use crate::FourCc;

/// A configuration record or frame header that cannot be read.
///
/// ```
/// use brookbox_media::{FourCc, config};
///
/// let error = config(FourCc::AAC, &[0x12]).unwrap_err();
/// assert_eq!(error.to_string(), "mp4a AudioSpecificConfig, byte 1: ends inside samplingFrequencyIndex");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{codec} {part}, byte {byte}: {cause}")]
#[non_exhaustive]
pub struct Error {
    /// The codec that the bytes were said to belong to.
    pub codec: FourCc,
    /// The structure that is broken, as its specification calls it.
    pub part: &'static str,
    /// Where, in bytes from the start of what was handed in.
    pub byte: usize,
    /// What was found there.
    pub cause: Cause,
}

/// What was found instead of what belongs there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The bytes end too early.
    #[error("ends inside {field}")]
    Ends {
        /// The field, as the specification calls it.
        field: &'static str,
    },
    /// A field has a value that it must not have.
    #[error("{field} is {value}, expected {expected}")]
    Value {
        /// The field, as the specification calls it.
        field: &'static str,
        /// Its value.
        value: u32,
        /// What would have been right.
        expected: &'static str,
    },
    /// The codec is not one whose configuration is read here.
    #[error("the configuration of this codec is not read")]
    Codec,
}
