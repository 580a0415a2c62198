//! VP8 and VP9: *VP Codec ISO Media File Format Binding* (`VPCodecConfigurationRecord`); RFC 6386 9.1 (VP8 frame tag);
//! *VP9 Bitstream & Decoding Process Specification* 6.2 (uncompressed header).

use crate::bits::{Bits, Result};
use crate::{Chroma, FourCc, VideoConfig};

pub(crate) fn record(codec: FourCc, record: &[u8]) -> Result<VideoConfig> {
    let mut bits = Bits::new(codec, "VPCodecConfigurationRecord", record);
    // FFmpeg sends the version and flags of the MP4 box in front. Without them there would be a bit depth of 0 here.
    if record.starts_with(&[1, 0, 0, 0]) {
        bits.skip(32, "version, flags")?;
    }
    let profile = bits.u8(8, "profile")?;
    let level = bits.u8(8, "level")?;
    let bit_depth = bits.u8(4, "bitDepth")?;
    bits.check("bitDepth", bit_depth.into(), "8, 10 or 12", matches!(bit_depth, 8 | 10 | 12))?;
    let chroma = match bits.u8(3, "chromaSubsampling")? {
        0 | 1 => Some(Chroma::Yuv420),
        2 => Some(Chroma::Yuv422),
        3 => Some(Chroma::Yuv444),
        _ => None,
    };
    bits.flag("videoFullRangeFlag")?;
    bits.skip(24, "colourPrimaries, transferCharacteristics, matrixCoefficients")?;
    let size = bits.size16("codecInitializationDataSize")?;
    bits.bytes(size, "codecInitializationData")?;
    // Ten times its number; 0 is unknown.
    let level = if level == 0 { String::new() } else { format!(" {}.{}", level / 10, level % 10) };
    Ok(VideoConfig {
        profile: format!("Profile {profile}{level}"),
        bit_depth: Some(bit_depth),
        chroma,
        interlaced: Some(false),
        b_frames: Some(false),
        ..VideoConfig::of(codec)
    })
}

pub(crate) fn vp8_frame(frame: &[u8]) -> Result<Option<VideoConfig>> {
    let mut bits = Bits::new(FourCc::VP8, "frame tag", frame);
    // The tag is little-endian: version and frame type are the low bits of its first byte.
    bits.skip(4, "first_part_size")?;
    let profile = bits.u8(3, "version, show_frame")?;
    if bits.flag("frame_type")? {
        return Ok(None);
    }
    bits.skip(16, "first_part_size")?;
    let start = bits.u(24, "start_code")?;
    bits.check("start_code", start, "0x9d012a", start == 0x9d_01_2a)?;
    let mut side = |field| -> Result<u32> {
        let [low, high] = [bits.u(8, field)?, bits.u(8, field)?];
        let samples = (high << 8 | low) & 0x3fff;
        bits.check(field, samples, "at least 1", samples > 0)?;
        Ok(samples)
    };
    let (width, height) = (side("width")?, side("height")?);
    Ok(Some(VideoConfig {
        profile: format!("Profile {profile}"),
        width: Some(width),
        height: Some(height),
        bit_depth: Some(8),
        chroma: Some(Chroma::Yuv420),
        interlaced: Some(false),
        b_frames: Some(false),
        ..VideoConfig::of(FourCc::VP8)
    }))
}

pub(crate) fn vp9_frame(frame: &[u8]) -> Result<Option<VideoConfig>> {
    const SYNC_CODE: u32 = 0x49_83_42;
    const SRGB: u8 = 7;
    let mut bits = Bits::new(FourCc::VP9, "uncompressed_header", frame);
    let marker = bits.u(2, "frame_marker")?;
    bits.check("frame_marker", marker, "2", marker == 2)?;
    let (low, high) = (bits.u8(1, "profile_low_bit")?, bits.u8(1, "profile_high_bit")?);
    let profile = high << 1 | low;
    if profile == 3 {
        bits.flag("reserved_zero")?;
    }
    if bits.flag("show_existing_frame")? || bits.flag("frame_type")? {
        return Ok(None);
    }
    bits.skip(2, "show_frame, error_resilient_mode")?;
    let sync = bits.u(24, "frame_sync_code")?;
    bits.check("frame_sync_code", sync, "0x498342", sync == SYNC_CODE)?;
    let bit_depth = match profile {
        0 | 1 => 8,
        _ => 10 + 2 * bits.u8(1, "ten_or_twelve_bit")?,
    };
    let color_space = bits.u8(3, "color_space")?;
    let odd = profile & 1 == 1;
    let (mut across, mut down) = (!odd, !odd);
    if color_space == SRGB {
        (across, down) = (false, false);
        bits.skip(u16::from(odd), "reserved_zero")?;
    } else {
        bits.flag("color_range")?;
        if odd {
            (across, down) = (bits.flag("subsampling_x")?, bits.flag("subsampling_y")?);
            bits.flag("reserved_zero")?;
        }
    }
    let width = 1 + bits.u(16, "frame_width_minus_1")?;
    let height = 1 + bits.u(16, "frame_height_minus_1")?;
    Ok(Some(VideoConfig {
        profile: format!("Profile {profile}"),
        width: Some(width),
        height: Some(height),
        bit_depth: Some(bit_depth),
        chroma: match (across, down) {
            (true, true) => Some(Chroma::Yuv420),
            (true, false) => Some(Chroma::Yuv422),
            (false, false) => Some(Chroma::Yuv444),
            (false, true) => None,
        },
        interlaced: Some(false),
        b_frames: Some(false),
        ..VideoConfig::of(FourCc::VP9)
    }))
}
