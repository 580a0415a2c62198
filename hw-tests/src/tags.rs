//! Tag bodies shaped like H.264 and AAC, for publishers that send no real clip. Each carries its number.

/// The smallest AVC configuration record.
#[must_use]
pub fn avc_config() -> Vec<u8> {
    vec![0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x0a, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x0a, 1, 0, 2, 0x68, 0xce]
}

/// A picture of this many bytes in all: one NAL unit, of an IDR or another slice.
///
/// # Panics
/// If it has no room for its headers and its number.
#[must_use]
pub fn picture(key: bool, number: u32, bytes: usize) -> Vec<u8> {
    let length = u32::try_from(bytes - 9).expect("pictures are small");
    let mut body = vec![if key { 0x17 } else { 0x27 }, 1, 0, 0, 0];
    body.extend(length.to_be_bytes());
    body.push(if key { 0x65 } else { 0x41 });
    fill(body, number, bytes)
}

/// The configuration record of AAC-LC, 48 kHz, stereo.
#[must_use]
pub fn aac_config() -> Vec<u8> {
    vec![0xaf, 0, 0x11, 0x90]
}

/// A frame of sound of this many bytes in all.
///
/// # Panics
/// If it has no room for its headers and its number.
#[must_use]
pub fn sound(number: u32, bytes: usize) -> Vec<u8> {
    fill(vec![0xaf, 1], number, bytes)
}

fn fill(mut body: Vec<u8>, number: u32, bytes: usize) -> Vec<u8> {
    body.extend(number.to_be_bytes());
    assert!(body.len() <= bytes, "no room for the headers in {bytes} bytes");
    body.resize(bytes, 0x5a);
    body
}
