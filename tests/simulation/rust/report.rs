//! A history as text: the requests that led to a violation.

use std::fmt::Write;

use crate::history::{History, Id, Marks, Request};
use crate::plan::{KEYS, LOCATIONS};
use crate::shrink::Broken;

pub fn describe(broken: &Broken, seed: u64) -> String {
    let (history, violation) = (broken.simulation.history.borrow(), &broken.violation);
    let plan = &broken.simulation.plan;
    let mut text = format!("seed {seed}, {}, {}: ", plan.traffic.name(), plan.profile.name());
    writeln!(text, "{}", violation.invariant.text()).unwrap();
    for (id, request) in history.each() {
        if !request.is_probe() || id == violation.at {
            let here = if id == violation.at { '>' } else { ' ' };
            writeln!(text, "{here} {}", line(&history, id, request)).unwrap();
        }
    }
    writeln!(text, "  request {}: {}", violation.at, violation.why).unwrap();
    text
}

fn line(history: &History, id: Id, request: &Request) -> String {
    let began = request.began.as_secs_f64();
    let (location, isolate) = (LOCATIONS[request.location], request.isolate);
    let mut line = format!("{id:>3} at {began:.1} s, {location}/{isolate}, {}: ", request.who);
    let cookie = |token: &usize| {
        let token = &history.tokens[*token];
        format!("{} of request {}", if token.is_ending { "ending token" } else { "cookie" }, token.by)
    };
    line += &match request.presented.as_slice() {
        [] => "no cookie".to_owned(),
        tokens => tokens.iter().map(cookie).collect::<Vec<_>>().join(" and "),
    };
    if let Some(seen) = request.seen {
        write!(line, ", {}, sees {}", request.reason(), marks(&seen)).unwrap();
    } else if request.reason.is_some() {
        write!(line, ", {}", request.reason()).unwrap();
    }
    write!(line, "; {:?}", request.action).unwrap();
    if let Some(flush) = &request.flush {
        let how = if flush.outcome.is_ok() { "ended" } else { "not ended" };
        write!(line, ", {how} at {:.1} s", flush.ended.as_secs_f64()).unwrap();
    }
    for put in &request.puts {
        let how = if put.acknowledged { "put" } else { "put failed:" };
        write!(line, ", {how} {}", marks(&put.marks)).unwrap();
    }
    match &request.commit {
        Some(commit) => {
            let outcome = commit.outcome.map_or_else(|kind| kind.code(), |()| "ok");
            write!(line, "; {outcome} at {:.1} s", commit.ended.as_secs_f64()).unwrap();
        }
        None if request.aborted => line += "; aborted",
        None => line += "; no commit",
    }
    for event in &request.events {
        write!(line, " [{}]", event.as_str()).unwrap();
    }
    for change in &request.cookies {
        let what = match change.token {
            None => "deleted",
            Some(token) if history.tokens[token].is_ending => "replaced by an ending token",
            Some(_) => "given",
        };
        write!(line, ", {} {what}", change.name).unwrap();
    }
    match request.received {
        Some(received) if !request.cookies.is_empty() => {
            write!(line, ", arrived at {:.1} s", received.as_secs_f64()).unwrap();
        }
        None if request.commit.is_some() && request.browser().is_some() => line += ", answer lost",
        _ => {}
    }
    line
}

fn marks(marks: &Marks) -> String {
    let present = marks.iter().zip(KEYS).filter(|(mark, _)| mark.present);
    let parts: Vec<_> = present.map(|(mark, key)| format!("{key}={}", mark.by)).collect();
    format!("{{{}}}", parts.join(" "))
}
