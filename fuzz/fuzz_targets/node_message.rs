#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| visavis::fuzz::node_message(bytes));
