//! The crate's driver: reads one sequence of calls in each line, and writes its answers in one line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs)]

mod calls;
mod replay;
mod signing;
mod store;
mod values;

use std::io::{BufRead, Write};

use replay::Replay;
use serde_json::{Value, json};

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
    let mut replay = Replay::new(sequence);
    values::list(&sequence["steps"]).iter().map(|step| replay.answer(step)).collect()
}
