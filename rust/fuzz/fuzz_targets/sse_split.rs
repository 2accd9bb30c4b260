#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hangang_fuzz::sse_split(data));
