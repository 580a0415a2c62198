#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| brookbox_fuzz::media::flv(data));
