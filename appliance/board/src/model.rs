//! What the box is built on.

use std::fs;

/// The board's kind in one word: `raspberrypi`, `jetson`, `pc` (any x86-64 machine) or `generic`.
#[must_use]
pub fn kind() -> &'static str {
    // What firmware writes there ends with a zero byte.
    let model = fs::read_to_string("/sys/firmware/devicetree/base/model").unwrap_or_default();
    kind_of(&model, std::env::consts::ARCH)
}

fn kind_of(model: &str, arch: &str) -> &'static str {
    match (model, arch) {
        (model, _) if model.starts_with("Raspberry Pi") => "raspberrypi",
        (model, _) if model.contains("Jetson") => "jetson",
        (_, "x86_64") => "pc",
        _ => "generic",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_told_by_their_device_tree() {
        assert_eq!(kind_of("Raspberry Pi 5 Model B Rev 1.0\0", "aarch64"), "raspberrypi");
        assert_eq!(kind_of("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit\0", "aarch64"), "jetson");
        assert_eq!(kind_of("", "x86_64"), "pc");
        assert_eq!(kind_of("Radxa ROCK 5B\0", "aarch64"), "generic");
    }
}
