//! AC-3 and E-AC-3: ATSC A/52:2018 5.3 (`syncinfo`, `bsi`) and E.1.2 (`bsi` of E-AC-3).

use crate::bits::{Bits, Result};
use crate::{AudioConfig, FourCc};

/// Indexed by `fscod`.
const RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Indexed by `acmod`: the channels in the order of `chanmap`'s bits (E.2.3.1.8), the first one highest.
const LOCATIONS: [u16; 8] = [
    LEFT | RIGHT, // two programmes
    CENTRE,
    LEFT | RIGHT,
    LEFT | CENTRE | RIGHT,
    LEFT | RIGHT | CENTRE_SURROUND,
    LEFT | CENTRE | RIGHT | CENTRE_SURROUND,
    LEFT | RIGHT | LEFT_SURROUND | RIGHT_SURROUND,
    LEFT | CENTRE | RIGHT | LEFT_SURROUND | RIGHT_SURROUND,
];
const LEFT: u16 = 1 << 15;
const CENTRE: u16 = 1 << 14;
const RIGHT: u16 = 1 << 13;
const LEFT_SURROUND: u16 = 1 << 12;
const RIGHT_SURROUND: u16 = 1 << 11;
const CENTRE_SURROUND: u16 = 1 << 8;
const LOW_FREQUENCY: u16 = 1;
/// Those bits of `chanmap` that stand for two loudspeakers each.
const PAIRS: u16 = 1 << 10 | 1 << 9 | 1 << 6 | 1 << 5 | 1 << 4 | 1 << 2;

/// A packet: one frame of AC-3; or of E-AC-3 one independent substream, and the dependent ones that widen it.
pub(crate) fn frame(codec: FourCc, packet: &[u8]) -> Result<AudioConfig> {
    let mut bits = Bits::new(codec, "syncinfo", packet);
    let first = Frame::read(&mut bits)?;
    let mut locations = first.locations;
    let mut rest = first.size.and_then(|size| packet.get(size..)).unwrap_or_default();
    while let Ok(next) = Frame::read(&mut Bits::new(codec, "syncinfo", rest))
        && let Some(size) = next.size
        && next.dependent
    {
        locations |= next.locations;
        rest = rest.get(size..).unwrap_or_default();
    }
    let channels = locations.count_ones() + (locations & PAIRS).count_ones();
    Ok(AudioConfig {
        sample_rate: Some(first.sample_rate),
        channels: u8::try_from(channels).ok(),
        ..AudioConfig::of(codec)
    })
}

struct Frame {
    sample_rate: u32,
    locations: u16,
    dependent: bool,
    /// In bytes, where the header says it: E-AC-3. Never 0.
    size: Option<usize>,
}

impl Frame {
    fn read(bits: &mut Bits<'_>) -> Result<Self> {
        let sync = bits.u(16, "syncword")?;
        bits.check("syncword", sync, "0x0b77", sync == 0x0b77)?;
        // The version, which says what the bits between mean, lies 24 bits further on in both.
        let mut ahead = bits.clone();
        ahead.skip(24, "frmsiz")?;
        match ahead.u8(5, "bsid")? {
            version @ 0..=10 => Self::ac3(bits, version),
            11..=16 => Self::eac3(bits),
            version => Err(ahead.wrong("bsid", version.into(), "at most 16")),
        }
    }

    fn ac3(bits: &mut Bits<'_>, version: u8) -> Result<Self> {
        bits.skip(16, "crc1")?;
        let rate = bits.u8(2, "fscod")?;
        let rate = RATES.get(usize::from(rate)).ok_or_else(|| bits.wrong("fscod", rate.into(), "0 to 2"))?;
        bits.skip(6 + 5 + 3, "frmsizecod, bsid, bsmod")?;
        let mode = bits.u8(3, "acmod")?;
        if mode & 1 != 0 && mode != 1 {
            bits.skip(2, "cmixlev")?;
        }
        if mode & 4 != 0 {
            bits.skip(2, "surmixlev")?;
        }
        if mode == 2 {
            bits.skip(2, "dsurmod")?;
        }
        let locations = locations(bits, mode)?;
        // Versions 9 and 10 are the same at a half and a quarter of the rate.
        Ok(Self { sample_rate: rate >> version.saturating_sub(8), locations, dependent: false, size: None })
    }

    fn eac3(bits: &mut Bits<'_>) -> Result<Self> {
        let kind = bits.u8(2, "strmtyp")?;
        let dependent = kind == 1;
        bits.skip(3, "substreamid")?;
        let words = 1 + bits.u(11, "frmsiz")?;
        let rate = match bits.u8(2, "fscod")? {
            3 => {
                let rate = bits.u8(2, "fscod2")?;
                RATES.get(usize::from(rate)).map(|rate| rate / 2)
            }
            rate => {
                bits.skip(2, "numblkscod")?;
                RATES.get(usize::from(rate)).copied()
            }
        };
        let sample_rate = rate.ok_or_else(|| bits.wrong("fscod2", 3, "0 to 2"))?;
        let mode = bits.u8(3, "acmod")?;
        let mut locations = locations(bits, mode)?;
        bits.skip(5, "bsid")?;
        for _ in 0..if mode == 0 { 2 } else { 1 } {
            bits.skip(5, "dialnorm")?;
            if bits.flag("compre")? {
                bits.skip(8, "compr")?;
            }
        }
        if dependent && bits.flag("chanmape")? {
            let [high, low] = [bits.u8(8, "chanmap")?, bits.u8(8, "chanmap")?];
            locations = u16::from_be_bytes([high, low]);
            bits.check("chanmap", locations.into(), "at least one channel", locations != 0)?;
        }
        Ok(Self { sample_rate, locations, dependent, size: usize::try_from(words * 2).ok() })
    }
}

/// Reads `lfeon`.
fn locations(bits: &mut Bits<'_>, mode: u8) -> Result<u16> {
    let low_frequency = if bits.flag("lfeon")? { LOW_FREQUENCY } else { 0 };
    Ok(LOCATIONS.get(usize::from(mode)).copied().unwrap_or_default() | low_frequency)
}
