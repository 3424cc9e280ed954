#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| edge_session::fuzzing::json(bytes));
