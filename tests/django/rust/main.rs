//! The Rust door's answers: a sequence of calls a line in, its answers a line out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs)]

mod calls;
mod signing;
mod store;
mod values;
mod world;

use std::io::{BufRead, Write};

use serde_json::{Value, json};
use world::World;

fn main() {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let sequence: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answers = if sequence["signing"].is_null() { answers(&sequence) } else { signing::answer(&sequence) };
        writeln!(output, "{}", json!({ "answers": answers })).unwrap();
        output.flush().unwrap();
    }
}

fn answers(sequence: &Value) -> Vec<Value> {
    let mut world = World::new(sequence);
    values::list(&sequence["steps"]).iter().map(|step| world.answer(step)).collect()
}
