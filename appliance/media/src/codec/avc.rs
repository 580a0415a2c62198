//! AVC: ITU-T H.264 7.3.2.1.1 (SPS), annex A (profiles and levels), annex E (VUI); ISO/IEC 14496-15:2019 5.3.4.1.

use crate::bits::{Bits, Result};
use crate::codec::{MOST_FRAMES_PER_SECOND, cropped, frame_rate, is_annex_b, nal_length, offset};
use crate::{Chroma, FourCc, NalLength, VideoConfig, annex_b, length_prefixed};

const RECORD: &str = "AVCDecoderConfigurationRecord";
const SPS: u8 = 7;

/// Macroblocks across or down: 65,536 samples, four times what level 6.2 allows.
const MOST_MACROBLOCKS: u32 = 4096;

pub(crate) fn record(record: &[u8]) -> Result<VideoConfig> {
    if is_annex_b(record) {
        return match of_units(record, annex_b(record))? {
            Some(config) => Ok(config),
            None => Err(Bits::new(FourCc::AVC, "byte stream", record).wrong("SPS count", 0, "at least 1")),
        };
    }
    let mut bits = Bits::new(FourCc::AVC, RECORD, record);
    let version = bits.u8(8, "configurationVersion")?;
    bits.check("configurationVersion", version.into(), "1", version == 1)?;
    let profile_idc = bits.u8(8, "AVCProfileIndication")?;
    let constraints = bits.u8(8, "profile_compatibility")?;
    let level_idc = bits.u8(8, "AVCLevelIndication")?;
    bits.skip(6, "reserved")?;
    let nal_length = nal_length(&mut bits)?;
    bits.skip(3, "reserved")?;
    let count = bits.u8(5, "numOfSequenceParameterSets")?;
    let mut config = None;
    for _ in 0..count {
        let size = bits.size16("sequenceParameterSetLength")?;
        let unit = bits.part("SPS", size)?;
        if config.is_none() {
            config = Some(sps(unit)?);
        }
    }
    for _ in 0..bits.u8(8, "numOfPictureParameterSets")? {
        let size = bits.size16("pictureParameterSetLength")?;
        bits.part("PPS", size)?;
    }
    let config = config.unwrap_or_else(|| VideoConfig {
        profile: profile(profile_idc, constraints, level_idc),
        ..VideoConfig::of(FourCc::AVC)
    });
    Ok(VideoConfig { nal_length: Some(nal_length), ..config })
}

pub(crate) fn frame(frame: &[u8]) -> Result<Option<VideoConfig>> {
    of_units(frame, length_prefixed(frame, NalLength::Four).map_while(std::result::Result::ok))
}

/// Reads the first SPS among units of `whole`.
fn of_units<'a>(whole: &'a [u8], mut units: impl Iterator<Item = &'a [u8]>) -> Result<Option<VideoConfig>> {
    let Some(unit) = units.find(|unit| unit.first().is_some_and(|header| header & 0x1f == SPS)) else {
        return Ok(None);
    };
    let mut bits = Bits::new(FourCc::AVC, "frame", whole);
    bits.bytes(offset(whole, unit), "NAL unit")?;
    sps(bits.part("SPS", unit.len())?).map(Some)
}

fn sps(bits: Bits<'_>) -> Result<VideoConfig> {
    let mut bits = bits.escaped();
    bits.skip(3, "nal_ref_idc")?;
    let unit_type = bits.u8(5, "nal_unit_type")?;
    bits.check("nal_unit_type", unit_type.into(), "7", unit_type == SPS)?;

    let profile_idc = bits.u8(8, "profile_idc")?;
    let constraints = bits.u8(8, "constraint_set_flags")?;
    let level_idc = bits.u8(8, "level_idc")?;
    bits.ue_to(31, "seq_parameter_set_id", "at most 31")?;

    let (mut chroma, mut bit_depth) = (Chroma::Yuv420, 8);
    if matches!(profile_idc, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        let idc = bits.ue_to(3, "chroma_format_idc", "at most 3")?;
        chroma = Chroma::from_idc(idc).unwrap_or(chroma);
        if chroma == Chroma::Yuv444 {
            bits.flag("separate_colour_plane_flag")?;
        }
        bit_depth = 8 + bits.ue_to(6, "bit_depth_luma_minus8", "at most 6")?;
        bits.ue_to(6, "bit_depth_chroma_minus8", "at most 6")?;
        bits.flag("qpprime_y_zero_transform_bypass_flag")?;
        if bits.flag("seq_scaling_matrix_present_flag")? {
            for list in 0..if chroma == Chroma::Yuv444 { 12 } else { 8 } {
                if bits.flag("seq_scaling_list_present_flag")? {
                    scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }

    bits.ue_to(12, "log2_max_frame_num_minus4", "at most 12")?;
    let order_type = bits.ue_to(2, "pic_order_cnt_type", "at most 2")?;
    if order_type == 0 {
        bits.ue_to(12, "log2_max_pic_order_cnt_lsb_minus4", "at most 12")?;
    } else if order_type == 1 {
        bits.flag("delta_pic_order_always_zero_flag")?;
        bits.skip_se("offset_for_non_ref_pic")?;
        bits.skip_se("offset_for_top_to_bottom_field")?;
        for _ in 0..bits.ue_to(255, "num_ref_frames_in_pic_order_cnt_cycle", "at most 255")? {
            bits.skip_se("offset_for_ref_frame")?;
        }
    }
    bits.ue("max_num_ref_frames")?;
    bits.flag("gaps_in_frame_num_value_allowed_flag")?;

    let across = macroblocks(&mut bits, "pic_width_in_mbs_minus1")?;
    let down = macroblocks(&mut bits, "pic_height_in_map_units_minus1")?;
    let frames_only = bits.flag("frame_mbs_only_flag")?;
    if !frames_only {
        bits.flag("mb_adaptive_frame_field_flag")?;
    }
    bits.flag("direct_8x8_inference_flag")?;
    let fields = if frames_only { 1 } else { 2 };
    let (mut width, mut height) = (across * 16, down * 16 * fields);
    if bits.flag("frame_cropping_flag")? {
        let mut crop = || bits.ue("frame_crop_offset");
        let [left, right, top, bottom] = [crop()?, crop()?, crop()?, crop()?];
        let (across, down) = chroma.subsampling();
        width = cropped(&bits, width, [left, right], across)?;
        height = cropped(&bits, height, [top, bottom], down * fields)?;
    }

    let mut vui = Vui::default();
    if bits.flag("vui_parameters_present_flag")? {
        // Encoders exist that cut it short. The picture is known by now, so what the VUI does say is kept.
        let _cut_short = vui.read(&mut bits);
    }
    let never_reordered = order_type == 2 || profile_idc == 66 || is_intra(profile_idc, constraints);
    Ok(VideoConfig {
        profile: profile(profile_idc, constraints, level_idc),
        width: Some(width),
        height: Some(height),
        fps: vui.fps,
        bit_depth: Some(bit_depth),
        chroma: Some(chroma),
        interlaced: Some(!frames_only),
        b_frames: if never_reordered { Some(false) } else { vui.reordered },
        ..VideoConfig::of(FourCc::AVC)
    })
}

fn macroblocks(bits: &mut Bits<'_>, field: &'static str) -> Result<u32> {
    let less_one = bits.ue(field)?;
    bits.check(field, less_one, "less than 4096", less_one < MOST_MACROBLOCKS)?;
    Ok(less_one + 1)
}

/// H.264 7.3.2.1.1.1. A scale of 0 ends the list early.
fn scaling_list(bits: &mut Bits<'_>, size: u8) -> Result<()> {
    let mut last = 8_u32;
    for _ in 0..size {
        // se(v) by its code number (H.264 table 9-3); only the sum modulo 256 counts.
        let code = bits.ue("delta_scale")?;
        bits.check("delta_scale", code, "the code of -128 to 127", code <= 256 && code != 255)?;
        let half = code.div_ceil(2);
        let delta = if code % 2 == 1 { half } else { 256 - half };
        let next = (last + delta) % 256;
        if next == 0 {
            break;
        }
        last = next;
    }
    Ok(())
}

#[derive(Default)]
struct Vui {
    fps: Option<f64>,
    reordered: Option<bool>,
}

impl Vui {
    /// H.264 E.1.1. What was read before an error stays.
    fn read(&mut self, bits: &mut Bits<'_>) -> Result<()> {
        const EXTENDED_SAR: u8 = 255;
        if bits.flag("aspect_ratio_info_present_flag")? && bits.u8(8, "aspect_ratio_idc")? == EXTENDED_SAR {
            bits.skip(32, "sar_width, sar_height")?;
        }
        if bits.flag("overscan_info_present_flag")? {
            bits.flag("overscan_appropriate_flag")?;
        }
        if bits.flag("video_signal_type_present_flag")? {
            bits.skip(4, "video_format")?;
            if bits.flag("colour_description_present_flag")? {
                bits.skip(24, "colour_primaries")?;
            }
        }
        if bits.flag("chroma_loc_info_present_flag")? {
            bits.ue("chroma_sample_loc_type_top_field")?;
            bits.ue("chroma_sample_loc_type_bottom_field")?;
        }
        if bits.flag("timing_info_present_flag")? {
            let ticks = bits.u(32, "num_units_in_tick")?;
            let per_second = bits.u(32, "time_scale")?;
            let fixed = bits.flag("fixed_frame_rate_flag")?;
            // A tick is a field's time (E.2.1). Encoders leave the rate unfixed also where it never changes.
            let fps = frame_rate(per_second, u64::from(ticks) * 2);
            self.fps = fps.filter(|fps| fixed || *fps <= MOST_FRAMES_PER_SECOND);
        }
        let nal_hrd = bits.flag("nal_hrd_parameters_present_flag")?;
        if nal_hrd {
            skip_hrd(bits)?;
        }
        let vcl_hrd = bits.flag("vcl_hrd_parameters_present_flag")?;
        if vcl_hrd {
            skip_hrd(bits)?;
        }
        if nal_hrd || vcl_hrd {
            bits.flag("low_delay_hrd_flag")?;
        }
        bits.flag("pic_struct_present_flag")?;
        if bits.flag("bitstream_restriction_flag")? {
            bits.flag("motion_vectors_over_pic_boundaries_flag")?;
            bits.ue("max_bytes_per_pic_denom")?;
            bits.ue("max_bits_per_mb_denom")?;
            bits.ue("log2_max_mv_length_horizontal")?;
            bits.ue("log2_max_mv_length_vertical")?;
            self.reordered = Some(bits.ue("max_num_reorder_frames")? > 0);
        }
        Ok(())
    }
}

/// H.264 E.1.2.
fn skip_hrd(bits: &mut Bits<'_>) -> Result<()> {
    let count = bits.ue_to(31, "cpb_cnt_minus1", "at most 31")?;
    bits.skip(8, "bit_rate_scale")?;
    for _ in 0..=count {
        bits.ue("bit_rate_value_minus1")?;
        bits.ue("cpb_size_value_minus1")?;
        bits.flag("cbr_flag")?;
    }
    bits.skip(20, "initial_cpb_removal_delay_length_minus1")
}

/// Names and flags: H.264 A.2.
fn profile(idc: u8, constraints: u8, level: u8) -> String {
    let constraint = |set: u8| constraints << set & 0x80 != 0;
    let intra = is_intra(idc, constraints);
    let name = match idc {
        66 if constraint(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 if intra => "High 10 Intra",
        110 => "High 10",
        122 if intra => "High 4:2:2 Intra",
        122 => "High 4:2:2",
        244 if intra => "High 4:4:4 Intra",
        244 => "High 4:4:4 Predictive",
        44 => "CAVLC 4:4:4 Intra",
        83 => "Scalable Baseline",
        86 => "Scalable High",
        118 => "Multiview High",
        128 => "Stereo High",
        _ => "Profile",
    };
    let number = if name == "Profile" { format!(" {idc}") } else { String::new() };
    let level = match level {
        9 => "1b".to_owned(),
        11 if matches!(idc, 66 | 77 | 88) && constraint(3) => "1b".to_owned(),
        _ if level.is_multiple_of(10) => format!("{}", level / 10),
        _ => format!("{}.{}", level / 10, level % 10),
    };
    format!("{name}{number} {level}")
}

fn is_intra(idc: u8, constraints: u8) -> bool {
    idc == 44 || (matches!(idc, 110 | 122 | 244) && constraints & 0x10 != 0)
}
