//! A history in words: what led to a promise being broken.

use std::fmt::Write;

use crate::history::{Exchange, Given, History, Id, Marks};
use crate::plan::{Deed, KEYS, LOCATIONS};
use crate::shrink::Broken;

pub fn tell(broken: &Broken, seed: u64) -> String {
    let (history, violation) = (broken.world.history.borrow(), &broken.violation);
    let mut text = format!("seed {seed}: {}\n", violation.promise.text());
    for (id, exchange) in history.each() {
        if exchange.deed != Deed::Probe || id == violation.at {
            let here = if id == violation.at { '>' } else { ' ' };
            writeln!(text, "{here} {}", line(&history, id, exchange)).unwrap();
        }
    }
    writeln!(text, "  request {}: {}", violation.at, violation.why).unwrap();
    text
}

fn line(history: &History, id: Id, exchange: &Exchange) -> String {
    let began = exchange.began.as_secs_f64();
    let mut line = format!("{id:>3} at {began:.1} s, {}, {}: ", LOCATIONS[exchange.location], exchange.who);
    line += &match exchange.token {
        Some(token) => format!("cookie of request {}", history.tokens[token].by),
        None => "no cookie".to_owned(),
    };
    if let Some(seen) = exchange.seen {
        write!(line, ", {}, sees {}", exchange.reason(), marks(&seen)).unwrap();
    } else if exchange.reason.is_some() {
        write!(line, ", {}", exchange.reason()).unwrap();
    }
    write!(line, "; {:?}", exchange.deed).unwrap();
    if let Some(flush) = &exchange.flush {
        let how = if flush.outcome.is_ok() { "flushed" } else { "flush failed" };
        write!(line, ", {how} at {:.1} s", flush.ended.as_secs_f64()).unwrap();
    }
    for put in &exchange.puts {
        let how = if put.acknowledged { "put" } else { "put failed:" };
        write!(line, ", {how} {}", marks(&put.marks)).unwrap();
    }
    match &exchange.commit {
        Some(commit) => {
            let outcome = commit.outcome.map_or_else(|kind| kind.code(), |()| "ok");
            write!(line, "; {outcome} at {:.1} s", commit.ended.as_secs_f64()).unwrap();
        }
        None => line += "; the browser went away",
    }
    for event in &exchange.events {
        write!(line, " [{}]", event.as_str()).unwrap();
    }
    line += match exchange.given {
        Given::Nothing => "",
        Given::TakenAway => ", cookie deleted",
        Given::Token(_) => ", cookie given",
    };
    if exchange.received.is_none() && exchange.commit.is_some() {
        line += ", answer lost";
    }
    line
}

fn marks(marks: &Marks) -> String {
    let present = marks.iter().zip(KEYS).filter(|(mark, _)| mark.present);
    let parts: Vec<_> = present.map(|(mark, key)| format!("{key}={}", mark.by)).collect();
    format!("{{{}}}", parts.join(" "))
}
