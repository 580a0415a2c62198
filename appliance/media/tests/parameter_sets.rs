//! Parameter sets as nobody's encoder would write them, but the specifications allow: written here field by field with
//! every optional part there or not by chance, and read back.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use brookbox_media::{Chroma, Config, FourCc, VideoConfig, config, frame_config};
use proptest::prelude::*;

/// Writes bits, some of them by chance.
struct Writer {
    bits: Vec<bool>,
    chance: std::vec::IntoIter<u32>,
}

impl Writer {
    fn new(chance: Vec<u32>) -> Self {
        Self { bits: Vec::new(), chance: chance.into_iter() }
    }

    /// A number from 0 to `most`; 0 when chance has run out.
    fn chance(&mut self, most: u32) -> u32 {
        let number = u64::from(self.chance.next().unwrap_or(0));
        u32::try_from(number % (u64::from(most) + 1)).unwrap()
    }

    fn u(&mut self, count: u32, value: u32) {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn ue(&mut self, value: u32) {
        let value = u64::from(value) + 1;
        let length = value.ilog2();
        self.bits.extend((0..length).map(|_| false));
        self.bits.extend((0..=length).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn se(&mut self, value: i32) {
        let code = if value > 0 { 2 * value.unsigned_abs() - 1 } else { 2 * value.unsigned_abs() };
        self.ue(code);
    }

    fn any_flag(&mut self) -> bool {
        let flag = self.chance(1) == 1;
        self.u(1, flag.into());
        flag
    }

    fn any_u(&mut self, count: u32) -> u32 {
        let value = self.chance(u32::MAX >> (32 - count));
        self.u(count, value);
        value
    }

    fn any_ue(&mut self, most: u32) -> u32 {
        let value = self.chance(most);
        self.ue(value);
        value
    }

    fn any_se(&mut self) {
        let value = i32::try_from(self.chance(200)).unwrap() - 100;
        self.se(value);
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| (0..8).fold(0, |byte, at| byte << 1 | u8::from(bits.get(at) == Some(&true)));
        self.bits.chunks(8).map(byte).collect()
    }

    /// Ends a NAL unit: stop bit, and no three bytes that look like a start code (H.264 and H.265, 7.4.1.1).
    fn nal(mut self) -> Vec<u8> {
        self.u(1, 1);
        let (mut nal, mut zeros) = (Vec::new(), 0);
        for byte in self.bytes() {
            if zeros == 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            nal.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
        nal
    }
}

/// What a parameter set is written to say.
#[derive(Debug, PartialEq)]
struct Said {
    width: u32,
    height: u32,
    fps: Option<f64>,
    bit_depth: u8,
    chroma: Chroma,
    interlaced: bool,
    b_frames: Option<bool>,
}

fn read(config: Option<Config>) -> Said {
    let Some(Config::Video(VideoConfig { width, height, fps, bit_depth, chroma, interlaced, b_frames, .. })) = config
    else {
        panic!("{config:?}");
    };
    Said {
        width: width.unwrap(),
        height: height.unwrap(),
        fps,
        bit_depth: bit_depth.unwrap(),
        chroma: chroma.unwrap(),
        interlaced: interlaced.unwrap(),
        b_frames,
    }
}

const CHROMA: [Chroma; 4] = [Chroma::Monochrome, Chroma::Yuv420, Chroma::Yuv422, Chroma::Yuv444];
/// `CropUnitX`, `CropUnitY` of a frame (H.264 table 6-1, H.265 table 6-1).
const CROP_UNITS: [(u32, u32); 4] = [(1, 1), (2, 2), (2, 1), (1, 1)];

/// Crops a picture and gives what is left of its sides.
fn crop(w: &mut Writer, (width, height): (u32, u32), (across, down): (u32, u32)) -> (u32, u32) {
    let mut side = |size: u32, unit: u32| {
        let first = w.any_ue((size - 1) / unit);
        let second = w.any_ue((size - 1) / unit - first);
        size - (first + second) * unit
    };
    (side(width, across), side(height, down))
}

/// The first half of a VUI, which H.264 and H.265 have in common.
fn vui_head(w: &mut Writer) {
    if w.any_flag() {
        let ratio = if w.chance(1) == 1 { 255 } else { w.chance(16) };
        w.u(8, ratio);
        if ratio == 255 {
            w.any_u(32);
        }
    }
    if w.any_flag() {
        w.any_flag();
    }
    if w.any_flag() {
        w.any_u(4);
        if w.any_flag() {
            w.any_u(24);
        }
    }
    if w.any_flag() {
        w.any_ue(5);
        w.any_ue(5);
    }
}

/// H.264 7.3.2.1.1 and E.1.1.
fn avc_sps(mut w: Writer) -> (Vec<u8>, Said) {
    let w_ref = &mut w;
    let w = w_ref;
    w.u(8, 0x67);
    let profile = [66, 77, 88, 100, 110, 122, 244, 44, 118, 128, 83][w.chance(10) as usize];
    w.u(8, profile);
    let constraints = w.any_u(8);
    w.any_u(8);
    w.any_ue(31);
    let (mut chroma, mut bit_depth, mut separate) = (1, 0, false);
    if ![66, 77, 88].contains(&profile) {
        chroma = w.any_ue(3);
        if chroma == 3 {
            separate = w.any_flag();
        }
        bit_depth = w.any_ue(6);
        w.any_ue(6);
        w.any_flag();
        if w.any_flag() {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if w.any_flag() {
                    avc_scaling_list(w, if list < 6 { 16 } else { 64 });
                }
            }
        }
    }
    w.any_ue(12);
    let order = w.any_ue(2);
    if order == 0 {
        w.any_ue(12);
    } else if order == 1 {
        w.any_flag();
        w.any_se();
        w.any_se();
        for _ in 0..w.any_ue(255) {
            w.any_se();
        }
    }
    w.any_ue(16);
    w.any_flag();
    let (across, down) = (1 + w.any_ue(300), 1 + w.any_ue(300));
    let frames_only = w.any_flag();
    if !frames_only {
        w.any_flag();
    }
    w.any_flag();
    let fields = if frames_only { 1 } else { 2 };
    let mut size = (across * 16, down * 16 * fields);
    if w.any_flag() {
        let (x, y) = if separate { (1, 1) } else { CROP_UNITS[chroma as usize] };
        size = crop(w, size, (x, y * fields));
    }
    let (mut fps, mut reordered) = (None, None);
    if w.any_flag() {
        vui_head(w);
        if w.any_flag() {
            let (ticks, scale) = (1 + w.chance(100_000), 1 + w.chance(10_000_000));
            w.u(32, ticks);
            w.u(32, scale);
            let fixed = w.any_flag();
            let rate = f64::from(scale) / (2.0 * f64::from(ticks));
            fps = Some(rate).filter(|rate| fixed || *rate <= 240.0);
        }
        let nal = avc_hrd(w);
        let vcl = avc_hrd(w);
        if nal || vcl {
            w.any_flag();
        }
        w.any_flag();
        if w.any_flag() {
            w.any_flag();
            for _ in 0..4 {
                w.any_ue(16);
            }
            reordered = Some(w.any_ue(4) > 0);
            w.any_ue(16);
        }
    }
    let intra = profile == 44 || ([110, 122, 244].contains(&profile) && constraints & 0x10 != 0);
    let said = Said {
        width: size.0,
        height: size.1,
        fps,
        bit_depth: 8 + u8::try_from(bit_depth).unwrap(),
        chroma: CHROMA[chroma as usize],
        interlaced: !frames_only,
        b_frames: if order == 2 || profile == 66 || intra { Some(false) } else { reordered },
    };
    (std::mem::replace(w, Writer::new(Vec::new())).nal(), said)
}

/// H.264 7.3.2.1.1.1.
fn avc_scaling_list(w: &mut Writer, size: u32) {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            let delta = i32::try_from(w.chance(255)).unwrap() - 128;
            w.se(delta);
            next = (last + delta + 256) % 256;
        }
        last = if next == 0 { last } else { next };
    }
}

/// H.264 E.1.2.
fn avc_hrd(w: &mut Writer) -> bool {
    let there = w.any_flag();
    if there {
        let count = w.any_ue(31);
        w.any_u(8);
        for _ in 0..=count {
            w.any_ue(1_000_000);
            w.any_ue(1_000_000);
            w.any_flag();
        }
        w.any_u(20);
    }
    there
}

/// H.265 7.3.3.
fn hevc_profile(w: &mut Writer, sub_layers: u32) -> bool {
    w.any_u(2 + 1 + 5);
    w.any_u(32);
    let (progressive, interlaced) = (w.any_flag(), w.any_flag());
    w.any_u(30);
    w.any_u(16);
    w.any_u(8);
    let there: Vec<_> = (0..sub_layers).map(|_| (w.any_flag(), w.any_flag())).collect();
    if sub_layers > 0 {
        w.u(2 * (8 - sub_layers), 0);
    }
    for (profile, level) in there {
        if profile {
            (0..11).for_each(|_| _ = w.any_u(8));
        }
        if level {
            w.any_u(8);
        }
    }
    interlaced && !progressive
}

fn hevc_ordering(w: &mut Writer, sub_layers: u32) -> u32 {
    let mut reordered = 0;
    let all = w.any_flag();
    for _ in if all { 0 } else { sub_layers }..=sub_layers {
        w.any_ue(15);
        reordered = w.any_ue(3);
        w.any_ue(15);
    }
    reordered
}

/// H.265 7.3.2.2.1 and E.2.1.
fn hevc_sps(w: &mut Writer) -> Said {
    w.u(16, 0x4201);
    w.any_u(4);
    let sub_layers = w.chance(6);
    w.u(3, sub_layers);
    w.any_flag();
    let interlaced = hevc_profile(w, sub_layers);
    w.any_ue(15);
    let chroma = w.any_ue(3);
    let separate = chroma == 3 && w.any_flag();
    let mut size = (1 + w.chance(9000), 1 + w.chance(9000));
    w.ue(size.0);
    w.ue(size.1);
    if w.any_flag() {
        size = crop(w, size, if separate { (1, 1) } else { CROP_UNITS[chroma as usize] });
    }
    let bit_depth = w.any_ue(8);
    w.any_ue(8);
    let order_bits = 4 + w.any_ue(12);
    let reordered = hevc_ordering(w, sub_layers);
    for most in [3, 3, 3, 3, 4, 4] {
        w.any_ue(most);
    }
    if w.any_flag() && w.any_flag() {
        hevc_scaling_lists(w);
    }
    w.any_flag();
    w.any_flag();
    if w.any_flag() {
        w.any_u(8);
        w.any_ue(2);
        w.any_ue(2);
        w.any_flag();
    }
    let sets = w.any_ue(64);
    let mut pictures = 0;
    for set in 0..sets {
        pictures = hevc_reference_set(w, set, pictures);
    }
    if w.any_flag() {
        for _ in 0..w.any_ue(32) {
            w.any_u(order_bits);
            w.any_flag();
        }
    }
    w.any_flag();
    w.any_flag();
    let (mut fps, mut fields) = (None, false);
    if w.any_flag() {
        vui_head(w);
        w.any_flag();
        fields = w.any_flag();
        w.any_flag();
        if w.any_flag() {
            (0..4).for_each(|_| _ = w.any_ue(100));
        }
        if w.any_flag() {
            fps = hevc_timing(w, if fields { 2.0 } else { 1.0 });
            if w.any_flag() {
                w.any_ue(3);
            }
        }
    }
    Said {
        width: size.0,
        height: size.1,
        fps,
        bit_depth: 8 + u8::try_from(bit_depth).unwrap(),
        chroma: CHROMA[chroma as usize],
        interlaced: interlaced || fields,
        b_frames: Some(reordered > 0),
    }
}

fn hevc_timing(w: &mut Writer, pictures: f64) -> Option<f64> {
    let (ticks, scale) = (1 + w.chance(100_000), 1 + w.chance(10_000_000));
    w.u(32, ticks);
    w.u(32, scale);
    Some(f64::from(scale) / (f64::from(ticks) * pictures)).filter(|rate| *rate <= 240.0)
}

/// H.265 7.3.4.
fn hevc_scaling_lists(w: &mut Writer) {
    for size in 0..4 {
        for matrix in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if w.any_flag() {
                if size > 1 {
                    w.any_se();
                }
                for _ in 0..64.min(1 << (4 + (size << 1))) {
                    w.any_se();
                }
            } else {
                w.any_ue(matrix);
            }
        }
    }
}

/// H.265 7.3.7, 7.4.8: gives the number of pictures.
fn hevc_reference_set(w: &mut Writer, set: u32, previous: u32) -> u32 {
    // A predicted set holds at most one picture more than the one before.
    if set > 0 && w.any_flag() {
        w.any_flag();
        w.any_ue(8);
        let mut pictures = 0;
        for _ in 0..=previous {
            let room = pictures < 16;
            let used = room && w.chance(1) == 1;
            w.u(1, used.into());
            let delta = used || (room && w.chance(1) == 1);
            if !used {
                w.u(1, delta.into());
            }
            pictures += u32::from(delta);
        }
        return pictures;
    }
    let negative = w.any_ue(16);
    let positive = w.any_ue(16 - negative);
    for _ in 0..negative + positive {
        w.any_ue(8);
        w.any_flag();
    }
    negative + positive
}

/// H.265 7.3.2.1.
fn hevc_vps(w: &mut Writer) -> Option<f64> {
    w.u(16, 0x4001);
    w.any_u(12);
    let sub_layers = w.chance(6);
    w.u(3, sub_layers);
    w.any_u(17);
    hevc_profile(w, sub_layers);
    hevc_ordering(w, sub_layers);
    let highest = w.any_u(6);
    for _ in 0..w.any_ue(20) {
        (0..=highest).for_each(|_| _ = w.any_flag());
    }
    if w.any_flag() { hevc_timing(w, 1.0) } else { None }
}

/// AV1 5.5.1 to 5.5.5, behind the OBU's size.
fn av1_sequence_header(w: &mut Writer) -> (Said, String) {
    let profile = w.chance(2);
    let mut levels = Vec::new();
    w.u(3, profile);
    w.any_flag();
    let reduced = w.any_flag();
    let mut fps = None;
    if reduced {
        levels.push((w.any_u(5), false));
    } else {
        let mut delay = None;
        if w.any_flag() {
            let (ticks, scale) = (1 + w.any_u(10), 1 + w.chance(100_000));
            let start = w.bits.len() - 10;
            w.bits.truncate(start);
            w.u(32, ticks);
            w.u(32, scale);
            if w.any_flag() {
                let per_picture = 1 + w.any_ue(3);
                fps = Some(f64::from(scale) / f64::from(ticks * per_picture));
            }
            if w.any_flag() {
                delay = Some(1 + w.any_u(5));
                w.any_u(32);
                w.any_u(10);
            }
        }
        let display_delay = w.any_flag();
        for _ in 0..=w.any_u(5) {
            w.any_u(12);
            let level = w.any_u(5);
            levels.push((level, level > 7 && w.any_flag()));
            if let Some(delay) = delay
                && w.any_flag()
            {
                w.any_u(delay);
                w.any_u(delay);
                w.any_flag();
            }
            if display_delay && w.any_flag() {
                w.any_u(4);
            }
        }
    }
    let (width_bits, height_bits) = (1 + w.any_u(4), 1 + w.any_u(4));
    let (width, height) = (1 + w.any_u(width_bits), 1 + w.any_u(height_bits));
    if !reduced && w.any_flag() {
        w.any_u(7);
    }
    w.any_u(3);
    if !reduced {
        w.any_u(4);
        let order_hint = w.any_flag();
        if order_hint {
            w.any_u(2);
        }
        let choose = w.any_flag();
        if (choose || w.any_flag()) && !w.any_flag() {
            w.any_flag();
        }
        if order_hint {
            w.any_u(3);
        }
    }
    w.any_u(3);
    let (bit_depth, chroma) = av1_color(w, profile);
    w.any_u(1 + 1 + 1);
    // The first operating point is the whole stream. Annex A.3: level 0 is 2.0, 31 means no level at all.
    let (level, high_tier) = levels[0];
    let number = if level == 31 { String::new() } else { format!(" {}.{}", 2 + (level >> 2), level & 3) };
    let name = ["Main", "High", "Professional"][profile as usize];
    let tier = if high_tier { " (High tier)" } else { "" };
    let said = Said { width, height, fps, bit_depth, chroma, interlaced: false, b_frames: Some(false) };
    (said, format!("{name}{number}{tier}"))
}

fn av1_color(w: &mut Writer, profile: u32) -> (u8, Chroma) {
    let high = w.any_flag();
    let bit_depth = match (high, profile) {
        (false, _) => 8,
        (true, 2) if w.any_flag() => 12,
        (true, _) => 10,
    };
    let monochrome = profile != 1 && w.any_flag();
    let described = w.any_flag();
    let rgb = described && w.chance(1) == 1;
    if described {
        w.u(24, if rgb { 0x01_0d_00 } else { 0x09_10_09 });
    }
    if monochrome {
        w.any_flag();
        return (bit_depth, Chroma::Monochrome);
    }
    if rgb {
        return (bit_depth, Chroma::Yuv444);
    }
    w.any_flag();
    let chroma = match profile {
        0 => Chroma::Yuv420,
        1 => Chroma::Yuv444,
        _ if bit_depth < 12 => Chroma::Yuv422,
        _ => match w.any_flag() {
            false => Chroma::Yuv444,
            true if w.any_flag() => Chroma::Yuv420,
            true => Chroma::Yuv422,
        },
    };
    (bit_depth, chroma)
}

fn chance() -> impl Strategy<Value = Vec<u32>> {
    // Small and large numbers alike, so that loops end and flags fall either way.
    prop::collection::vec(prop_oneof![any::<u32>(), 0..4_u32], 0..800)
}

fn avc_record(sps: &[u8]) -> Vec<u8> {
    let size = u16::try_from(sps.len()).unwrap().to_be_bytes();
    [&[1, 100, 0, 30, 0xff, 0xe1][..], &size, sps, b"\x01\x00\x02\x68\xee"].concat()
}

fn hevc_record(arrays: &[(u8, &[u8])]) -> Vec<u8> {
    let mut record = vec![0; 23];
    (record[0], record[12], record[21]) = (1, 93, 3);
    record[22] = u8::try_from(arrays.len()).unwrap();
    for (kind, unit) in arrays {
        record.extend([0x80 | kind, 0, 1]);
        record.extend(u16::try_from(unit.len()).unwrap().to_be_bytes());
        record.extend(*unit);
    }
    record
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn avc(chance in chance()) {
        let (sps, said) = avc_sps(Writer::new(chance));
        prop_assert_eq!(&read(config(FourCc::AVC, &avc_record(&sps)).ok()), &said);

        let stream = [b"\x00\x00\x00\x01", &sps[..], b"\x00\x00\x01\x68\xee"].concat();
        prop_assert_eq!(&read(config(FourCc::AVC, &stream).ok()), &said);

        let size = u32::try_from(sps.len()).unwrap().to_be_bytes();
        let frame = [b"\x00\x00\x00\x02\x09\xf0", &size[..], &sps, b"\x00\x00\x00\x01\x65"].concat();
        prop_assert_eq!(&read(frame_config(FourCc::AVC, &frame).unwrap()), &said);
    }

    #[test]
    fn hevc(chance in chance()) {
        let mut w = Writer::new(chance);
        let said = hevc_sps(&mut w);
        let rest = w.chance.clone();
        let sps = w.nal();
        prop_assert_eq!(&read(config(FourCc::HEVC, &hevc_record(&[(33, &sps)])).ok()), &said);

        let mut w = Writer::new(rest.collect());
        let vps_fps = hevc_vps(&mut w);
        let vps = w.nal();
        let both = Said { fps: said.fps.or(vps_fps), ..said };
        // Other layers' parameter sets, which read otherwise, and what is no parameter set of interest.
        let record = hevc_record(&[(33, b"\x42\x09\xff"), (32, &vps), (33, &sps), (34, b"\x44\x01")]);
        prop_assert_eq!(&read(config(FourCc::HEVC, &record).ok()), &both);

        let stream = [b"\x00\x00\x01", &vps[..], b"\x00\x00\x01", &sps].concat();
        prop_assert_eq!(&read(config(FourCc::HEVC, &stream).ok()), &both);

        let frame: Vec<_> = [&vps, &sps, &b"\x28\x01".to_vec()]
            .iter()
            .flat_map(|unit| [&u32::try_from(unit.len()).unwrap().to_be_bytes()[..], unit].concat())
            .collect();
        prop_assert_eq!(&read(frame_config(FourCc::HEVC, &frame).unwrap()), &both);
    }

    #[test]
    fn av1(chance in chance()) {
        let mut w = Writer::new(chance);
        let (said, profile) = av1_sequence_header(&mut w);
        let header = w.bytes();
        // The size in leb128, and once in more bytes than needed.
        let size = u8::try_from(header.len() & 0x7f).unwrap();
        let more = u8::try_from(header.len() >> 7).unwrap();
        let sized = [&[0x0a, size | 0x80, more | 0x80, 0][..], &header].concat();
        let record = [b"\x81\x00\x0c\x00", &sized[..]].concat();
        prop_assert_eq!(&read(config(FourCc::AV1, &record).ok()), &said);
        let Ok(Config::Video(video)) = config(FourCc::AV1, &record) else { panic!() };
        prop_assert_eq!(video.profile, profile);

        let unit = [b"\x12\x00\x0e\x08", &sized[1..], b"\x32\x01\x10"].concat();
        prop_assert_eq!(&read(frame_config(FourCc::AV1, &unit).unwrap()), &said);

        let last = [b"\x12\x00\x08", &header[..]].concat();
        prop_assert_eq!(&read(frame_config(FourCc::AV1, &last).unwrap()), &said);
    }
}
