//! What the fuzz targets do, as plain functions: the targets call them with the fuzzer's bytes, and the crates' own tests with
//! the files in `seeds/`, among them one for each fault that was ever found.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . chunks corpus/chunks seeds/chunks -- -max_total_time=300 -rss_limit_mb=512 -timeout=5 -max_len=65536
//! ```
//!
//! `RUSTC_BOOTSTRAP=1` lets the stable compiler take the flags that cargo-fuzz asks for.

pub mod board;
pub mod files;
pub mod media;
pub mod rtmp;
