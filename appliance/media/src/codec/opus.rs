//! Opus: RFC 7845 5.1 (identification header).

use crate::bits::{Bits, Result};
use crate::{AudioConfig, FourCc};

/// Whatever was recorded, Opus is always decoded at this rate (RFC 7845 5.1, item 5).
const RATE: u32 = 48_000;

pub(crate) fn record(record: &[u8]) -> Result<AudioConfig> {
    let mut config = AudioConfig { sample_rate: Some(RATE), ..AudioConfig::of(FourCc::OPUS) };
    // E-RTMP v2, Enhanced Audio: an empty header leaves the channels to MultichannelConfig.
    if record.is_empty() {
        return Ok(config);
    }
    let mut bits = Bits::new(FourCc::OPUS, "identification header", record);
    for expected in b"OpusHead" {
        let byte = bits.u8(8, "magic signature")?;
        bits.check("magic signature", byte.into(), "OpusHead", byte == *expected)?;
    }
    let version = bits.u8(8, "version")?;
    bits.check("version", version.into(), "less than 16", version < 16)?;
    let channels = bits.u8(8, "output channel count")?;
    bits.check("output channel count", channels.into(), "at least 1", channels > 0)?;
    bits.skip(16 + 32 + 16, "pre-skip, input sample rate, output gain")?;
    let family = bits.u8(8, "channel mapping family")?;
    if family == 0 {
        bits.check("output channel count", channels.into(), "1 or 2 in mapping family 0", channels <= 2)?;
    } else {
        bits.skip(16, "stream count, coupled count")?;
        bits.bytes(channels.into(), "channel mapping")?;
    }
    config.channels = Some(channels);
    Ok(config)
}
