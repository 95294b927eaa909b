#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| visavis::fuzz::profile_picture(bytes));
