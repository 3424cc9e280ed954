#![no_main]

#[allow(dead_code, reason = "the tests use all of it")]
#[path = "../../tests/native/support/user_agent.rs"]
mod user_agent;
#[path = "../../tests/native/support/visit.rs"]
mod visit;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| visit::any(bytes));
