//! Converts between the lines of the protocol and Rust's values.

use chrono::{DateTime, FixedOffset, TimeDelta};
use edge_session::{Expiry, ExpiryOptions, Session};
use serde::Serialize;
use serde_json::{Value, json};

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

pub fn pairs(value: &Value) -> Vec<(String, Value)> {
    list(value).iter().map(|pair| (text(&pair[0]).to_owned(), pair[1].clone())).collect()
}

/// Rust values that JSON cannot represent, inside of lists and objects.
#[derive(Serialize)]
#[serde(untagged)]
enum Odd {
    Number(f64),
    Plain(Value),
    List(Vec<Self>),
    Object(std::collections::BTreeMap<String, Self>),
}

/// Sets an odd value inside of lists and objects, as `path` says. Returns `None` if Rust's types exclude it.
pub fn set_odd(session: &mut Session, step: &Value) -> Option<edge_session::Result<()>> {
    let (key, path) = (text(&step["key"]), list(&step["path"]));
    match text(&step["kind"]) {
        "nan" => Some(session.set(key, odd(Odd::Number(f64::NAN), path))),
        "infinity" => Some(session.set(key, odd(Odd::Number(f64::INFINITY), path))),
        "big" => Some(session.set(key, odd(Odd::Plain(json!((1_i64 << 53) + 1)), path))),
        "surrogate" => Some(session.set_json(key, &around("\"\\ud800\"", path))),
        "huge" => Some(session.set_json(key, &around(&format!("1{}", "0".repeat(400)), path))),
        _ => None,
    }
}

fn odd(value: Odd, path: &[Value]) -> Odd {
    path.iter().rev().fold(value, |inner, step| match step.as_u64() {
        Some(at) => Odd::List((0..at).map(|_| Odd::Plain(json!(0))).chain([inner]).collect()),
        None => Odd::Object([(text(step).to_owned(), inner)].into()),
    })
}

fn around(value: &str, path: &[Value]) -> String {
    path.iter().rev().fold(value.to_owned(), |inner, step| match step.as_u64() {
        Some(at) => format!("[{}{inner}]", "0,".repeat(usize::try_from(at).unwrap())),
        None => format!("{{{step}:{inner}}}"),
    })
}

pub fn expiry(given: &Value) -> Expiry {
    if given.is_null() {
        Expiry::Policy
    } else if let Some(seconds) = given["n"].as_i64() {
        Expiry::Seconds(seconds)
    } else if let Some(micros) = given["in"].as_i64() {
        Expiry::In(TimeDelta::microseconds(micros))
    } else {
        Expiry::parse_iso(text(&given["at"])).unwrap()
    }
}

pub fn options(given: &Value) -> ExpiryOptions {
    let date = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
    ExpiryOptions { modification: given["modification"].as_str().map(date), expiry: given.get("expiry").map(expiry) }
}

/// As Python's `isoformat` writes it.
pub fn iso(date: DateTime<FixedOffset>) -> String {
    date.format("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string().replace(".000000", "")
}
