//! HEVC: ITU-T H.265 7.3.2.2 (SPS), annex A (profiles and levels), annex E (VUI); ISO/IEC 14496-15:2022 8.3.3.2.

use crate::bits::{Bits, Result};
use crate::codec::{MOST_FRAMES_PER_SECOND, cropped, frame_rate, is_annex_b, nal_length, offset};
use crate::{Chroma, FourCc, NalLength, VideoConfig, annex_b, length_prefixed};

const RECORD: &str = "HEVCDecoderConfigurationRecord";
const VPS: u8 = 32;
const SPS: u8 = 33;

/// What is left is stated in the other parameter set or by nobody.
#[derive(Default)]
struct Found {
    sps: Option<VideoConfig>,
    vps_fps: Option<f64>,
}

impl Found {
    /// Looks at the base layer's parameter sets; the first of each kind counts.
    fn read(&mut self, unit_type: u8, unit: Bits<'_>) -> Result<()> {
        match unit_type {
            SPS if self.sps.is_none() => self.sps = sps(unit)?,
            // Its timing is all that is wanted of the VPS, and few have one: not worth refusing the stream.
            VPS if self.vps_fps.is_none() => self.vps_fps = vps_frame_rate(unit).unwrap_or_default(),
            _ => {}
        }
        Ok(())
    }

    fn config(self) -> Option<VideoConfig> {
        let sps = self.sps?;
        Some(VideoConfig { fps: sps.fps.or(self.vps_fps), ..sps })
    }
}

pub(crate) fn record(record: &[u8]) -> Result<VideoConfig> {
    if is_annex_b(record) {
        return match of_units(record, annex_b(record))? {
            Some(config) => Ok(config),
            None => Err(Bits::new(FourCc::HEVC, "byte stream", record).wrong("SPS count", 0, "at least 1")),
        };
    }
    let mut bits = Bits::new(FourCc::HEVC, RECORD, record);
    let version = bits.u8(8, "configurationVersion")?;
    bits.check("configurationVersion", version.into(), "1", version == 1)?;
    let general = General::read(&mut bits)?;
    bits.skip(4 + 12, "min_spatial_segmentation_idc")?;
    bits.skip(6 + 2, "parallelismType")?;
    bits.skip(6, "reserved")?;
    let chroma = bits.u8(2, "chromaFormat")?;
    bits.skip(5, "reserved")?;
    let bit_depth = 8 + bits.u8(3, "bitDepthLumaMinus8")?;
    bits.skip(5 + 3, "bitDepthChromaMinus8")?;
    let frames_in_256_s = bits.u(16, "avgFrameRate")?;
    bits.skip(2 + 3 + 1, "constantFrameRate, numTemporalLayers, temporalIdNested")?;
    let nal_length = nal_length(&mut bits)?;

    let mut found = Found::default();
    for _ in 0..bits.u8(8, "numOfArrays")? {
        bits.skip(2, "array_completeness")?;
        let unit_type = bits.u8(6, "NAL_unit_type")?;
        for _ in 0..bits.size16("numNalus")? {
            let size = bits.size16("nalUnitLength")?;
            let unit = bits.part(if unit_type == SPS { "SPS" } else { "NAL unit" }, size)?;
            found.read(unit_type, unit)?;
        }
    }
    let config = found.config().unwrap_or_else(|| VideoConfig {
        profile: general.name(),
        bit_depth: Some(bit_depth),
        chroma: Chroma::from_idc(chroma),
        ..VideoConfig::of(FourCc::HEVC)
    });
    let fps = config.fps.or_else(|| frame_rate(frames_in_256_s, 256));
    Ok(VideoConfig { fps, nal_length: Some(nal_length), ..config })
}

pub(crate) fn frame(frame: &[u8]) -> Result<Option<VideoConfig>> {
    of_units(frame, length_prefixed(frame, NalLength::Four).map_while(std::result::Result::ok))
}

fn of_units<'a>(whole: &'a [u8], units: impl Iterator<Item = &'a [u8]>) -> Result<Option<VideoConfig>> {
    let mut found = Found::default();
    for unit in units {
        let Some(header) = unit.first() else { continue };
        let mut bits = Bits::new(FourCc::HEVC, "frame", whole);
        bits.bytes(offset(whole, unit), "NAL unit")?;
        found.read(header >> 1 & 0x3f, bits.part("SPS", unit.len())?)?;
        if found.sps.is_some() {
            break;
        }
    }
    Ok(found.config())
}

/// Takes the two bytes of a NAL unit's header. `false`: it is of another layer.
fn header(bits: &mut Bits<'_>, unit_type: u8) -> Result<bool> {
    bits.flag("forbidden_zero_bit")?;
    let found = bits.u8(6, "nal_unit_type")?;
    let expected = if unit_type == SPS { "33" } else { "32" };
    bits.check("nal_unit_type", found.into(), expected, found == unit_type)?;
    let layer = bits.u8(6, "nuh_layer_id")?;
    bits.skip(3, "nuh_temporal_id_plus1")?;
    Ok(layer == 0)
}

fn sps(bits: Bits<'_>) -> Result<Option<VideoConfig>> {
    let mut bits = bits.escaped();
    if !header(&mut bits, SPS)? {
        return Ok(None);
    }
    bits.skip(4, "sps_video_parameter_set_id")?;
    let sub_layers = sub_layers(&mut bits)?;
    bits.flag("sps_temporal_id_nesting_flag")?;
    let general = profile_tier_level(&mut bits, sub_layers)?;
    bits.ue_to(15, "sps_seq_parameter_set_id", "at most 15")?;
    let chroma_idc = bits.ue_to(3, "chroma_format_idc", "at most 3")?;
    let chroma = Chroma::from_idc(chroma_idc).unwrap_or(Chroma::Yuv420);
    if chroma == Chroma::Yuv444 {
        bits.flag("separate_colour_plane_flag")?;
    }
    let mut width = side(&mut bits, "pic_width_in_luma_samples")?;
    let mut height = side(&mut bits, "pic_height_in_luma_samples")?;
    if bits.flag("conformance_window_flag")? {
        let mut crop = || bits.ue("conf_win_offset");
        let [left, right, top, bottom] = [crop()?, crop()?, crop()?, crop()?];
        let (across, down) = chroma.subsampling();
        width = cropped(&bits, width, [left, right], across)?;
        height = cropped(&bits, height, [top, bottom], down)?;
    }
    let bit_depth = 8 + bits.ue_to(8, "bit_depth_luma_minus8", "at most 8")?;
    bits.ue_to(8, "bit_depth_chroma_minus8", "at most 8")?;
    let order_bits = 4 + bits.ue_to(12, "log2_max_pic_order_cnt_lsb_minus4", "at most 12")?;
    let reordered = reordered(&mut bits, sub_layers)?;

    let mut vui = Vui::default();
    // Nothing behind this is needed to show the picture's size, so what can be read of it is kept.
    let _cut_short = coding_tools(&mut bits, order_bits).and_then(|()| vui.read(&mut bits));
    Ok(Some(VideoConfig {
        profile: general.name(),
        width: Some(width),
        height: Some(height),
        fps: vui.fps,
        bit_depth: Some(bit_depth),
        chroma: Some(chroma),
        interlaced: Some(vui.fields || general.interlaced_only()),
        b_frames: Some(reordered),
        ..VideoConfig::of(FourCc::HEVC)
    }))
}

/// `max_sub_layers_minus1`.
fn sub_layers(bits: &mut Bits<'_>) -> Result<u8> {
    let less_one = bits.u8(3, "max_sub_layers_minus1")?;
    bits.check("max_sub_layers_minus1", less_one.into(), "at most 6", less_one <= 6)?;
    Ok(less_one)
}

fn side(bits: &mut Bits<'_>, field: &'static str) -> Result<u32> {
    let samples = bits.ue(field)?;
    bits.check(field, samples, "1 to 65,536", (1..=65_536).contains(&samples))?;
    Ok(samples)
}

/// Whether pictures of the highest sub-layer are reordered: 7.3.2.2.1, `sps_max_num_reorder_pics`.
fn reordered(bits: &mut Bits<'_>, sub_layers: u8) -> Result<bool> {
    let all = bits.flag("sub_layer_ordering_info_present_flag")?;
    let mut most = 0;
    for _ in if all { 0 } else { sub_layers }..=sub_layers {
        bits.ue("max_dec_pic_buffering_minus1")?;
        most = bits.ue("max_num_reorder_pics")?;
        bits.ue("max_latency_increase_plus1")?;
    }
    Ok(most > 0)
}

/// All that lies between the sizes and the VUI.
fn coding_tools(bits: &mut Bits<'_>, order_bits: u8) -> Result<()> {
    bits.ue("log2_min_luma_coding_block_size_minus3")?;
    bits.ue("log2_diff_max_min_luma_coding_block_size")?;
    bits.ue("log2_min_luma_transform_block_size_minus2")?;
    bits.ue("log2_diff_max_min_luma_transform_block_size")?;
    bits.ue("max_transform_hierarchy_depth_inter")?;
    bits.ue("max_transform_hierarchy_depth_intra")?;
    if bits.flag("scaling_list_enabled_flag")? && bits.flag("sps_scaling_list_data_present_flag")? {
        scaling_lists(bits)?;
    }
    bits.flag("amp_enabled_flag")?;
    bits.flag("sample_adaptive_offset_enabled_flag")?;
    if bits.flag("pcm_enabled_flag")? {
        bits.skip(8, "pcm_sample_bit_depth_luma_minus1")?;
        bits.ue("log2_min_pcm_luma_coding_block_size_minus3")?;
        bits.ue("log2_diff_max_min_pcm_luma_coding_block_size")?;
        bits.flag("pcm_loop_filter_disabled_flag")?;
    }
    let mut pictures = 0;
    for set in 0..bits.ue_to(64, "num_short_term_ref_pic_sets", "at most 64")? {
        pictures = reference_set(bits, set > 0, pictures)?;
    }
    if bits.flag("long_term_ref_pics_present_flag")? {
        for _ in 0..bits.ue_to(32, "num_long_term_ref_pics_sps", "at most 32")? {
            bits.skip(u16::from(order_bits) + 1, "lt_ref_pic_poc_lsb_sps")?;
        }
    }
    bits.flag("sps_temporal_mvp_enabled_flag")?;
    bits.flag("strong_intra_smoothing_enabled_flag")?;
    Ok(())
}

/// H.265 7.3.4.
fn scaling_lists(bits: &mut Bits<'_>) -> Result<()> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag("scaling_list_pred_mode_flag")? {
                bits.ue("scaling_list_pred_matrix_id_delta")?;
                continue;
            }
            if size > 1 {
                bits.skip_se("scaling_list_dc_coef_minus8")?;
            }
            for _ in 0..if size == 0 { 16 } else { 64 } {
                bits.skip_se("scaling_list_delta_coef")?;
            }
        }
    }
    Ok(())
}

/// H.265 7.3.7: how many pictures the set holds. In a parameter set, a set is predicted from the one before it.
fn reference_set(bits: &mut Bits<'_>, has_previous: bool, previous: u8) -> Result<u8> {
    if has_previous && bits.flag("inter_ref_pic_set_prediction_flag")? {
        bits.flag("delta_rps_sign")?;
        bits.ue("abs_delta_rps_minus1")?;
        let mut pictures = 0;
        for _ in 0..=previous {
            if bits.flag("used_by_curr_pic_flag")? || bits.flag("use_delta_flag")? {
                pictures += 1;
            }
        }
        bits.check("NumDeltaPocs", u32::from(pictures), "at most 16", pictures <= 16)?;
        return Ok(pictures);
    }
    let negative = bits.ue_to(16, "num_negative_pics", "at most 16")?;
    let positive = bits.ue_to(16 - negative, "num_positive_pics", "at most 16 with num_negative_pics")?;
    for _ in 0..negative + positive {
        bits.ue("delta_poc_minus1")?;
        bits.flag("used_by_curr_pic_flag")?;
    }
    Ok(negative + positive)
}

#[derive(Default)]
struct Vui {
    fps: Option<f64>,
    fields: bool,
}

impl Vui {
    /// H.265 E.2.1, as far as the timing. What was read before an error stays.
    fn read(&mut self, bits: &mut Bits<'_>) -> Result<()> {
        const EXTENDED_SAR: u8 = 255;
        if !bits.flag("vui_parameters_present_flag")? {
            return Ok(());
        }
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
        bits.flag("neutral_chroma_indication_flag")?;
        self.fields = bits.flag("field_seq_flag")?;
        bits.flag("frame_field_info_present_flag")?;
        if bits.flag("default_display_window_flag")? {
            for _ in 0..4 {
                bits.ue("def_disp_win_offset")?;
            }
        }
        if bits.flag("vui_timing_info_present_flag")? {
            // Where pictures are fields, a tick is a field's time and two of them make a frame.
            self.fps = timing(bits, if self.fields { 2 } else { 1 })?;
        }
        Ok(())
    }
}

fn timing(bits: &mut Bits<'_>, pictures: u64) -> Result<Option<f64>> {
    let ticks = bits.u(32, "num_units_in_tick")?;
    let per_second = bits.u(32, "time_scale")?;
    Ok(frame_rate(per_second, u64::from(ticks) * pictures).filter(|fps| *fps <= MOST_FRAMES_PER_SECOND))
}

/// H.265 7.3.2.1, as far as the timing.
fn vps_frame_rate(bits: Bits<'_>) -> Result<Option<f64>> {
    let mut bits = bits.escaped();
    if !header(&mut bits, VPS)? {
        return Ok(None);
    }
    bits.skip(4 + 1 + 1 + 6, "vps_video_parameter_set_id")?;
    let sub_layers = sub_layers(&mut bits)?;
    bits.skip(1 + 16, "vps_temporal_id_nesting_flag")?;
    profile_tier_level(&mut bits, sub_layers)?;
    reordered(&mut bits, sub_layers)?;
    let highest_layer = bits.u(6, "vps_max_layer_id")?;
    let sets = bits.ue("vps_num_layer_sets_minus1")?;
    bits.check("vps_num_layer_sets_minus1", sets, "at most 1023", sets <= 1023)?;
    for _ in 0..sets {
        for _ in 0..=highest_layer {
            bits.flag("layer_id_included_flag")?;
        }
    }
    if bits.flag("vps_timing_info_present_flag")? { timing(&mut bits, 1) } else { Ok(None) }
}

/// What the record and every parameter set say first: the general part of `profile_tier_level`, H.265 7.3.3.
struct General {
    high_tier: bool,
    profile: u8,
    compatible: u32,
    progressive: bool,
    interlaced: bool,
    /// `general_max_12bit_constraint_flag` and the seven flags after it, of the range extensions.
    constraints: u8,
    level: u8,
}

impl General {
    fn read(bits: &mut Bits<'_>) -> Result<Self> {
        bits.skip(2, "general_profile_space")?;
        let high_tier = bits.flag("general_tier_flag")?;
        let profile = bits.u8(5, "general_profile_idc")?;
        let compatible = bits.u(32, "general_profile_compatibility_flag")?;
        let progressive = bits.flag("general_progressive_source_flag")?;
        let interlaced = bits.flag("general_interlaced_source_flag")?;
        bits.skip(2, "general_non_packed_constraint_flag")?;
        let constraints = bits.u8(8, "general_max_12bit_constraint_flag")?;
        bits.skip(36, "general_reserved_zero_bits")?;
        let level = bits.u8(8, "general_level_idc")?;
        Ok(Self { high_tier, profile, compatible, progressive, interlaced, constraints, level })
    }

    fn interlaced_only(&self) -> bool {
        self.interlaced && !self.progressive
    }

    fn name(&self) -> String {
        let compatible = |profile: u8| self.compatible << profile & 0x8000_0000 != 0;
        let profile = if self.profile == 0 { (1..32).find(|at| compatible(*at)).unwrap_or(0) } else { self.profile };
        let name = match profile {
            1 => "Main".to_owned(),
            2 => "Main 10".to_owned(),
            3 => "Main Still Picture".to_owned(),
            4 => self.range_extension(),
            5 => "High Throughput".to_owned(),
            6 => "Multiview Main".to_owned(),
            7 => "Scalable Main".to_owned(),
            8 => "3D Main".to_owned(),
            9 => "Screen-Extended Main".to_owned(),
            10 => "Scalable Range Extensions".to_owned(),
            11 => "High Throughput Screen-Extended".to_owned(),
            other => format!("Profile {other}"),
        };
        // A level is 30 times its number (A.4.1).
        let (whole, tenth) = (self.level / 30, self.level % 30 / 3);
        let level = if tenth == 0 { format!("{whole}") } else { format!("{whole}.{tenth}") };
        format!("{name} {level}{}", if self.high_tier { " (High tier)" } else { "" })
    }

    /// The name of a format range extensions profile, from its flags: H.265 table A.2.
    fn range_extension(&self) -> String {
        let [bits12, bits10, bits8, chroma422, chroma420, monochrome, intra, still] =
            std::array::from_fn(|at| self.constraints << at & 0x80 != 0);
        let format = match (monochrome, chroma420, chroma422) {
            (true, ..) => "Monochrome",
            (_, true, _) => "Main",
            (.., true) => "Main 4:2:2",
            _ => "Main 4:4:4",
        };
        let depth = match (bits8, bits10, bits12) {
            (true, ..) => "",
            (_, true, _) => " 10",
            (.., true) => " 12",
            _ => " 16",
        };
        let kind = match (still, intra) {
            (true, _) => " Still Picture",
            (_, true) => " Intra",
            _ => "",
        };
        format!("{format}{depth}{kind}")
    }
}

/// H.265 7.3.3. The sub-layers' own profiles and levels are passed over.
fn profile_tier_level(bits: &mut Bits<'_>, sub_layers: u8) -> Result<General> {
    let general = General::read(bits)?;
    let mut skip = 0;
    for at in 0..if sub_layers > 0 { 8 } else { 0 } {
        let profile = bits.flag("sub_layer_profile_present_flag")? && at < sub_layers;
        let level = bits.flag("sub_layer_level_present_flag")? && at < sub_layers;
        skip += if profile { 88 } else { 0 } + if level { 8 } else { 0 };
    }
    bits.skip(skip, "sub_layer_profile_idc")?;
    Ok(general)
}
