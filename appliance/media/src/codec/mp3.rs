//! MP3: ISO/IEC 11172-3 2.4.2.3 and ISO/IEC 13818-3 2.4.2.3 (header).

use crate::bits::{Bits, Result};
use crate::{AudioConfig, FourCc};

pub(crate) fn frame(frame: &[u8]) -> Result<AudioConfig> {
    let mut bits = Bits::new(FourCc::MP3, "header", frame);
    let sync = bits.u(11, "syncword")?;
    bits.check("syncword", sync, "2047", sync == 0x7ff)?;
    // Half the rate in MPEG-2; a quarter in what everybody calls MPEG-2.5.
    let version = bits.u8(2, "ID")?;
    let divisor = match version {
        3 => 1,
        2 => 2,
        0 => 4,
        _ => return Err(bits.wrong("ID", version.into(), "0, 2 or 3")),
    };
    let layer = bits.u8(2, "layer")?;
    let profile = match layer {
        3 => "Layer I",
        2 => "Layer II",
        1 => "Layer III",
        _ => return Err(bits.wrong("layer", layer.into(), "1 to 3")),
    };
    bits.skip(1 + 4, "protection_bit, bitrate_index")?;
    let rate = match bits.u8(2, "sampling_frequency")? {
        0 => 44_100,
        1 => 48_000,
        2 => 32_000,
        other => return Err(bits.wrong("sampling_frequency", other.into(), "0 to 2")),
    };
    bits.skip(2, "padding_bit, private_bit")?;
    let channels = if bits.u8(2, "mode")? == 3 { 1 } else { 2 };
    Ok(AudioConfig {
        profile: profile.to_owned(),
        sample_rate: Some(rate / divisor),
        channels: Some(channels),
        ..AudioConfig::of(FourCc::MP3)
    })
}
