#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hangang_fuzz::clova(data));
