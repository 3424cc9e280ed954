//! The crate's `encode` and `decode`, under secrets and at times of the line.

use chrono::DateTime;
use edge_session::{MemoryStore, Sessions, Settings};
use serde_json::{Value, json};

use crate::values::{list, pairs, text};

pub fn answer(line: &Value) -> Vec<Value> {
    let now = DateTime::from_timestamp(line["now"].as_i64().unwrap_or(1_893_456_000), 0).unwrap();
    let settings = Settings::builder(list(&line["secrets"]).iter().map(text)).build().unwrap();
    let mut session = Sessions::new(MemoryStore::default(), settings).with_clock(move || now).new_session().unwrap();
    if line["signing"] == "encode" {
        return list(&line["data"]).iter().map(|data| json!(session.encode(pairs(data)).unwrap())).collect();
    }
    list(&line["texts"]).iter().map(|signed| json!(session.decode::<Value>(text(signed)))).collect()
}
