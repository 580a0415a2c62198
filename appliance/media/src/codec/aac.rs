//! AAC: ISO/IEC 14496-3 1.6.2.1 (`AudioSpecificConfig`), 4.4.1 (`GASpecificConfig`, `program_config_element`).

use crate::bits::{Bits, Result};
use crate::{AudioConfig, FourCc};

/// Audio object types, table 1.17.
const SBR: u8 = 5;
const PS: u8 = 29;

pub(crate) fn record(record: &[u8]) -> Result<AudioConfig> {
    let mut bits = Bits::new(FourCc::AAC, "AudioSpecificConfig", record);
    let mut object_type = object_type(&mut bits)?;
    let mut sample_rate = frequency(&mut bits, "samplingFrequencyIndex")?;
    let channel_configuration = bits.u8(4, "channelConfiguration")?;
    let mut channels = channels(&bits, channel_configuration)?;
    let (mut sbr, mut ps) = (object_type == SBR || object_type == PS, object_type == PS);
    let signalled = sbr;
    if signalled {
        sample_rate = frequency(&mut bits, "extensionSamplingFrequencyIndex")?;
        object_type = self::object_type(&mut bits)?;
        if object_type == 22 {
            bits.skip(4, "extensionChannelConfiguration")?;
        }
    }
    // A fault behind the core's description leaves the core known.
    if is_general_audio(object_type)
        && let Ok(defined) = general_audio(&mut bits, object_type, channel_configuration)
    {
        channels = channels.or(defined);
        if !signalled && let Ok(Some(extension)) = Extension::find(&mut bits, object_type) {
            (sbr, ps) = (true, extension.ps);
            sample_rate = extension.sample_rate;
        }
    }
    // Parametric stereo makes two channels out of a single one.
    if ps && channels == Some(1) {
        channels = Some(2);
    }
    let profile = match (object_type, sbr, ps) {
        (2, true, true) => "HE-AAC v2".to_owned(),
        (2, true, false) => "HE-AAC".to_owned(),
        (1, ..) => "Main".to_owned(),
        (2, ..) => "LC".to_owned(),
        (3, ..) => "SSR".to_owned(),
        (4, ..) => "LTP".to_owned(),
        (23, ..) => "LD".to_owned(),
        (39, ..) => "ELD".to_owned(),
        (42, ..) => "xHE-AAC".to_owned(),
        (other, ..) => format!("Object type {other}"),
    };
    Ok(AudioConfig { profile, sample_rate: Some(sample_rate), channels, ..AudioConfig::of(FourCc::AAC) })
}

fn object_type(bits: &mut Bits<'_>) -> Result<u8> {
    const ESCAPE: u8 = 31;
    let kind = bits.u8(5, "audioObjectType")?;
    Ok(if kind == ESCAPE { 32 + bits.u8(6, "audioObjectTypeExt")? } else { kind })
}

/// Table 1.18.
fn frequency(bits: &mut Bits<'_>, field: &'static str) -> Result<u32> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    let index = bits.u8(4, field)?;
    if index == 15 {
        let rate = bits.u(24, "samplingFrequency")?;
        bits.check("samplingFrequency", rate, "more than 0", rate > 0)?;
        return Ok(rate);
    }
    let rate = RATES.get(usize::from(index)).copied();
    rate.ok_or_else(|| bits.wrong(field, index.into(), "0 to 12 or 15"))
}

/// Table 1.19. `None`: they are listed in a program configuration element.
fn channels(bits: &Bits<'_>, configuration: u8) -> Result<Option<u8>> {
    match configuration {
        0 => Ok(None),
        1..=6 => Ok(Some(configuration)),
        7 | 12 | 14 => Ok(Some(8)),
        11 => Ok(Some(7)),
        13 => Ok(Some(24)),
        other => Err(bits.wrong("channelConfiguration", other.into(), "0 to 7 or 11 to 14")),
    }
}

/// Whether the rest of the configuration is a `GASpecificConfig`.
fn is_general_audio(object_type: u8) -> bool {
    matches!(object_type, 1..=4 | 6 | 7 | 17 | 19..=23)
}

/// Passes over a `GASpecificConfig` and what error resilience adds to it. Gives the channels if they are listed.
fn general_audio(bits: &mut Bits<'_>, object_type: u8, channel_configuration: u8) -> Result<Option<u8>> {
    bits.flag("frameLengthFlag")?;
    if bits.flag("dependsOnCoreCoder")? {
        bits.skip(14, "coreCoderDelay")?;
    }
    let extension = bits.flag("extensionFlag")?;
    let channels = if channel_configuration == 0 { Some(program_channels(bits)?) } else { None };
    if matches!(object_type, 6 | 20) {
        bits.skip(3, "layerNr")?;
    }
    if extension {
        match object_type {
            22 => bits.skip(16, "numOfSubFrame")?,
            17 | 19 | 20 | 23 => bits.skip(3, "aacSectionDataResilienceFlag")?,
            _ => {}
        }
        bits.flag("extensionFlag3")?;
    }
    if matches!(object_type, 17 | 19..=23) {
        bits.skip(2, "epConfig")?;
    }
    Ok(channels)
}

/// 4.4.1.1.
fn program_channels(bits: &mut Bits<'_>) -> Result<u8> {
    bits.skip(4 + 2 + 4, "element_instance_tag")?;
    let fronts = bits.u8(4, "num_front_channel_elements")?;
    let sides = bits.u8(4, "num_side_channel_elements")?;
    let backs = bits.u8(4, "num_back_channel_elements")?;
    let lfes = bits.u8(2, "num_lfe_channel_elements")?;
    let data = bits.u8(3, "num_assoc_data_elements")?;
    let couplings = bits.u8(4, "num_valid_cc_elements")?;
    if bits.flag("mono_mixdown_present")? {
        bits.skip(4, "mono_mixdown_element_number")?;
    }
    if bits.flag("stereo_mixdown_present")? {
        bits.skip(4, "stereo_mixdown_element_number")?;
    }
    if bits.flag("matrix_mixdown_idx_present")? {
        bits.skip(3, "matrix_mixdown_idx")?;
    }
    let mut channels = lfes;
    for _ in 0..fronts + sides + backs {
        channels += if bits.flag("element_is_cpe")? { 2 } else { 1 };
        bits.skip(4, "element_tag_select")?;
    }
    bits.skip(u16::from(lfes + data) * 4 + u16::from(couplings) * 5, "lfe_element_tag_select")?;
    bits.align();
    let comment = bits.u8(8, "comment_field_bytes")?;
    bits.bytes(comment.into(), "comment_field_data")?;
    bits.check("channels", channels.into(), "at least 1", channels > 0)?;
    Ok(channels)
}

/// SBR and PS announced behind a configuration that old decoders understand: 1.6.5.2, `syncExtensionType`.
struct Extension {
    sample_rate: u32,
    ps: bool,
}

impl Extension {
    fn find(bits: &mut Bits<'_>, object_type: u8) -> Result<Option<Self>> {
        const SBR_FOLLOWS: u32 = 0x2b7;
        const PS_FOLLOWS: u32 = 0x548;
        if bits.bits_left() < 16 || bits.u(11, "syncExtensionType")? != SBR_FOLLOWS {
            return Ok(None);
        }
        let extends = self::object_type(bits)?;
        if extends != SBR || object_type == 22 || !bits.flag("sbrPresentFlag")? {
            return Ok(None);
        }
        let sample_rate = frequency(bits, "extensionSamplingFrequencyIndex")?;
        let ps =
            bits.bits_left() >= 12 && bits.u(11, "syncExtensionType")? == PS_FOLLOWS && bits.flag("psPresentFlag")?;
        Ok(Some(Self { sample_rate, ps }))
    }
}
