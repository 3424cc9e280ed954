#![no_main]

#[path = "../../native/support/user_agent.rs"]
mod user_agent;
#[path = "../../native/support/visit.rs"]
mod visit;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| visit::any(bytes));
