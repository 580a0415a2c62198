//! AV1: *AV1 Bitstream & Decoding Process Specification* 5.3 (OBU headers) and 5.5 (sequence header), annex A (levels);
//! *AV1 Codec ISO Media File Format Binding* 2.3 (`AV1CodecConfigurationRecord`).

use crate::bits::{Bits, Result};
use crate::codec::frame_rate;
use crate::{Chroma, FourCc, VideoConfig};

const SEQUENCE_HEADER: u8 = 1;

pub(crate) fn record(record: &[u8]) -> Result<VideoConfig> {
    let mut bits = Bits::new(FourCc::AV1, "AV1CodecConfigurationRecord", record);
    let marker = bits.flag("marker")?;
    bits.check("marker", marker.into(), "1", marker)?;
    let version = bits.u(7, "version")?;
    bits.check("version", version, "1", version == 1)?;
    let profile = bits.u8(3, "seq_profile")?;
    let level = bits.u8(5, "seq_level_idx_0")?;
    let high_tier = bits.flag("seq_tier_0")?;
    let color = Color {
        high_bitdepth: bits.flag("high_bitdepth")?,
        twelve_bit: bits.flag("twelve_bit")?,
        monochrome: bits.flag("monochrome")?,
        subsampling: (bits.flag("chroma_subsampling_x")?, bits.flag("chroma_subsampling_y")?),
    };
    bits.skip(2 + 3 + 1 + 4, "chroma_sample_position, initial_presentation_delay_present")?;
    if let Some(config) = find_sequence_header(bits)? {
        return Ok(config);
    }
    Ok(VideoConfig {
        profile: name(profile, level, high_tier),
        bit_depth: Some(color.bit_depth()),
        chroma: color.chroma(),
        interlaced: Some(false),
        b_frames: Some(false),
        ..VideoConfig::of(FourCc::AV1)
    })
}

pub(crate) fn frame(frame: &[u8]) -> Result<Option<VideoConfig>> {
    find_sequence_header(Bits::new(FourCc::AV1, "OBU header", frame))
}

/// Walks OBUs (5.3.1) up to the first sequence header.
fn find_sequence_header(mut bits: Bits<'_>) -> Result<Option<VideoConfig>> {
    while bits.bytes_left() > 0 {
        let forbidden = bits.flag("obu_forbidden_bit")?;
        bits.check("obu_forbidden_bit", forbidden.into(), "0", !forbidden)?;
        let kind = bits.u8(4, "obu_type")?;
        let extension = bits.flag("obu_extension_flag")?;
        let has_size = bits.flag("obu_has_size_field")?;
        bits.skip(if extension { 9 } else { 1 }, "obu_extension_header")?;
        let size = if has_size { leb128(&mut bits)? } else { bits.bytes_left() };
        let payload = bits.part("sequence header OBU", size)?;
        if kind == SEQUENCE_HEADER {
            return sequence_header(payload).map(Some);
        }
    }
    Ok(None)
}

/// 4.10.5: seven bits in each byte, the least significant first, 32 bits in all.
fn leb128(bits: &mut Bits<'_>) -> Result<usize> {
    let mut value = 0_u64;
    for at in 0..8 {
        let more = bits.flag("obu_size")?;
        value |= u64::from(bits.u(7, "obu_size")?) << (7 * at);
        if !more {
            break;
        }
    }
    let size = u32::try_from(value).ok().and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| bits.wrong("obu_size", u32::MAX, "less than 2^32"))
}

/// 5.5.1.
fn sequence_header(mut bits: Bits<'_>) -> Result<VideoConfig> {
    let profile = bits.u8(3, "seq_profile")?;
    bits.check("seq_profile", profile.into(), "at most 2", profile <= 2)?;
    bits.flag("still_picture")?;
    let reduced = bits.flag("reduced_still_picture_header")?;
    let (mut fps, mut level, mut high_tier) = (None, 0, false);
    if reduced {
        level = bits.u8(5, "seq_level_idx")?;
    } else {
        let mut decoder_model = None;
        if bits.flag("timing_info_present_flag")? {
            fps = timing(&mut bits)?;
            if bits.flag("decoder_model_info_present_flag")? {
                decoder_model = Some(1 + bits.u8(5, "buffer_delay_length_minus_1")?);
                bits.skip(32 + 5 + 5, "num_units_in_decoding_tick")?;
            }
        }
        let initial_delay = bits.flag("initial_display_delay_present_flag")?;
        for point in 0..=bits.u8(5, "operating_points_cnt_minus_1")? {
            bits.skip(12, "operating_point_idc")?;
            let this_level = bits.u8(5, "seq_level_idx")?;
            let this_tier = this_level > 7 && bits.flag("seq_tier")?;
            // Point 0 is the one with all layers.
            if point == 0 {
                (level, high_tier) = (this_level, this_tier);
            }
            if let Some(delay) = decoder_model
                && bits.flag("decoder_model_present_for_this_op")?
            {
                bits.skip(u16::from(delay) * 2 + 1, "decoder_buffer_delay")?;
            }
            if initial_delay && bits.flag("initial_display_delay_present_for_this_op")? {
                bits.skip(4, "initial_display_delay_minus_1")?;
            }
        }
    }

    let width_bits = 1 + bits.u8(4, "frame_width_bits_minus_1")?;
    let height_bits = 1 + bits.u8(4, "frame_height_bits_minus_1")?;
    let width = 1 + bits.u(width_bits, "max_frame_width_minus_1")?;
    let height = 1 + bits.u(height_bits, "max_frame_height_minus_1")?;
    if !reduced && bits.flag("frame_id_numbers_present_flag")? {
        bits.skip(4 + 3, "delta_frame_id_length_minus_2")?;
    }
    bits.skip(3, "use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter")?;
    if !reduced {
        skip_tools(&mut bits)?;
    }
    bits.skip(3, "enable_superres, enable_cdef, enable_restoration")?;
    let color = Color::read(&mut bits, profile)?;

    Ok(VideoConfig {
        profile: name(profile, level, high_tier),
        width: Some(width),
        height: Some(height),
        fps,
        bit_depth: Some(color.bit_depth()),
        chroma: color.chroma(),
        interlaced: Some(false),
        b_frames: Some(false),
        ..VideoConfig::of(FourCc::AV1)
    })
}

/// 5.5.3. Only if all frames last equally long does this tell a frame rate.
fn timing(bits: &mut Bits<'_>) -> Result<Option<f64>> {
    let ticks = bits.u(32, "num_units_in_display_tick")?;
    let per_second = bits.u(32, "time_scale")?;
    if !bits.flag("equal_picture_interval")? {
        return Ok(None);
    }
    let ticks_per_frame = 1 + u64::from(bits.ue("num_ticks_per_picture_minus_1")?);
    Ok(u64::from(ticks).checked_mul(ticks_per_frame).and_then(|ticks| frame_rate(per_second, ticks)))
}

/// The tools that a still picture has none of.
fn skip_tools(bits: &mut Bits<'_>) -> Result<()> {
    bits.skip(4, "enable_interintra_compound")?;
    let order_hint = bits.flag("enable_order_hint")?;
    if order_hint {
        bits.skip(2, "enable_jnt_comp, enable_ref_frame_mvs")?;
    }
    let choose_screen_content = bits.flag("seq_choose_screen_content_tools")?;
    let screen_content = choose_screen_content || bits.flag("seq_force_screen_content_tools")?;
    if screen_content && !bits.flag("seq_choose_integer_mv")? {
        bits.flag("seq_force_integer_mv")?;
    }
    if order_hint {
        bits.skip(3, "order_hint_bits_minus_1")?;
    }
    Ok(())
}

struct Color {
    high_bitdepth: bool,
    twelve_bit: bool,
    monochrome: bool,
    subsampling: (bool, bool),
}

impl Color {
    /// 5.5.2, as far as needed.
    fn read(bits: &mut Bits<'_>, profile: u8) -> Result<Self> {
        const BT_709: u8 = 1;
        const SRGB: u8 = 13;
        const IDENTITY: u8 = 0;
        let high_bitdepth = bits.flag("high_bitdepth")?;
        let twelve_bit = profile == 2 && high_bitdepth && bits.flag("twelve_bit")?;
        let monochrome = profile != 1 && bits.flag("mono_chrome")?;
        let mut rgb = false;
        if bits.flag("color_description_present_flag")? {
            let primaries = bits.u8(8, "color_primaries")?;
            let transfer = bits.u8(8, "transfer_characteristics")?;
            let matrix = bits.u8(8, "matrix_coefficients")?;
            rgb = (primaries, transfer, matrix) == (BT_709, SRGB, IDENTITY);
        }
        let subsampling = if monochrome {
            (true, true)
        } else if rgb {
            (false, false)
        } else {
            bits.flag("color_range")?;
            match profile {
                0 => (true, true),
                1 => (false, false),
                _ if twelve_bit => {
                    let across = bits.flag("subsampling_x")?;
                    (across, across && bits.flag("subsampling_y")?)
                }
                _ => (true, false),
            }
        };
        Ok(Self { high_bitdepth, twelve_bit, monochrome, subsampling })
    }

    fn bit_depth(&self) -> u8 {
        match (self.high_bitdepth, self.twelve_bit) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        }
    }

    fn chroma(&self) -> Option<Chroma> {
        match (self.monochrome, self.subsampling) {
            (true, _) => Some(Chroma::Monochrome),
            (_, (true, true)) => Some(Chroma::Yuv420),
            (_, (true, false)) => Some(Chroma::Yuv422),
            (_, (false, false)) => Some(Chroma::Yuv444),
            (_, (false, true)) => None,
        }
    }
}

/// Annex A: `seq_level_idx` counts four to a whole level from 2.0 on.
fn name(profile: u8, level: u8, high_tier: bool) -> String {
    let profile = ["Main", "High", "Professional"].get(usize::from(profile)).unwrap_or(&"Profile reserved");
    let tier = if high_tier { " (High tier)" } else { "" };
    match level {
        31 => format!("{profile}{tier}"),
        _ => format!("{profile} {}.{}{tier}", 2 + level / 4, level % 4),
    }
}
