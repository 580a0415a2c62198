//! The memory of Argon2 goes back to the system: the daemon lives on boards with 512 MB and promises a small footprint.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail anywhere, its helpers too")]
//! Alone in its file, and so in its process: other tests' memory would disturb the figures.

use brookbox_vault::password;

/// A figure of `/proc/self/status` in KiB.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn rss_falls_back_after_passwords_were_checked() {
    let before = status("VmRSS:");
    let stored = password::hash(&"a long enough password".into()).unwrap();
    // Several rounds on several threads: the first free is the one after which a C library may change its mind about
    // where to allocate, and each thread may have a heap of its own.
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| password::verify(Some(&stored), &"a long enough password".into()).unwrap());
            }
        });
    }
    let (after, most) = (status("VmRSS:"), status("VmHWM:"));
    println!("VmRSS before {before} KiB, after {after} KiB, at most {most} KiB");
    assert!(most > before + 18 * 1024, "the memory was used: {before} → {most} KiB");
    assert!(most < before + 42 * 1024, "two at a time: {before} → {most} KiB");
    assert!(after < before + 1536, "it went back: {before} → {after} KiB");
}
