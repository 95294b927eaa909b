#![no_main]

use std::panic;

// The reader takes a panic of the libraries that decode pictures for "no code". The fuzzer's hook would end the process
// before that; any other panic ends it all the same.
libfuzzer_sys::fuzz_target!(init: panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| visavis::fuzz::qr_image(bytes));
