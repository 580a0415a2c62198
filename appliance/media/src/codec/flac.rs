//! FLAC: RFC 9639 8.1 (metadata block header) and 8.2 (STREAMINFO).

use crate::bits::{Bits, Result};
use crate::{AudioConfig, FourCc};

const STREAMINFO_SIZE: usize = 34;

pub(crate) fn record(record: &[u8]) -> Result<AudioConfig> {
    let mut bits = Bits::new(FourCc::FLAC, "FlacSequenceHeader", record);
    // E-RTMP asks for the signature and the block; FFmpeg sends what is in the block.
    if record.len() != STREAMINFO_SIZE {
        let signature = bits.u(32, "signature")?;
        bits.check("signature", signature, "fLaC", signature.to_be_bytes() == *b"fLaC")?;
        bits.flag("last metadata block")?;
        let kind = bits.u(7, "metadata block type")?;
        bits.check("metadata block type", kind, "0", kind == 0)?;
        let size = bits.u(24, "metadata block size")?;
        bits.check("metadata block size", size, "34", usize::try_from(size) == Ok(STREAMINFO_SIZE))?;
    }
    let mut bits = bits.part("STREAMINFO", STREAMINFO_SIZE)?;
    bits.skip(16 + 16 + 24 + 24, "block and frame sizes")?;
    let sample_rate = bits.u(20, "sample rate")?;
    bits.check("sample rate", sample_rate, "more than 0", sample_rate > 0)?;
    let channels = 1 + bits.u8(3, "number of channels")?;
    Ok(AudioConfig { sample_rate: Some(sample_rate), channels: Some(channels), ..AudioConfig::of(FourCc::FLAC) })
}
