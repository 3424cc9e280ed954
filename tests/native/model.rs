//! The model of KV: caches, delays, refusals and losses as in KV, repeatable by a seed.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use edge_session::Store;
use edge_session_kv_model::{Fault, KvLocation, KvModel, KvModelOptions, OperationKind};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// No operation is slow, and each write is visible at once at its location.
fn plain() -> KvModelOptions {
    KvModelOptions { slow: 0.0, locally_invisible: 0.0, ..KvModelOptions::default() }
}

fn get(at: &KvLocation, model: &KvModel) -> Option<String> {
    try_get(at, model).unwrap()
}

fn try_get(at: &KvLocation, model: &KvModel) -> Result<Option<String>, String> {
    let value = model.block_on(at.get("key")).unwrap();
    value.map(|value| value.map(|bytes| String::from_utf8(bytes).unwrap())).map_err(cause)
}

fn put(at: &KvLocation, model: &KvModel, value: &str) -> Result<(), String> {
    model.block_on(at.put("key", value.as_bytes(), 3600, None)).unwrap().map_err(cause)
}

fn cause(error: edge_session::Error) -> String {
    std::error::Error::source(&error).unwrap().to_string()
}

#[test]
fn a_location_responds_from_its_cache_for_the_cache_ttl() {
    let model = KvModel::new(KvModelOptions { max_propagation: secs(0), ..plain() });
    let (here, there) = (model.at("AMS"), model.at("SIN"));
    put(&here, &model, "one").unwrap();
    assert_eq!(get(&there, &model).as_deref(), Some("one"));
    model.run_for(secs(10));
    put(&here, &model, "two").unwrap();
    assert_eq!(get(&here, &model).as_deref(), Some("two"), "its own write is in its cache");
    assert_eq!(get(&there, &model).as_deref(), Some("one"));
    model.run_for(secs(19));
    assert_eq!(get(&there, &model).as_deref(), Some("one"));
    model.run_for(secs(2));
    assert_eq!(get(&there, &model).as_deref(), Some("two"));
}

#[test]
fn a_miss_is_cached_as_well() {
    let model = KvModel::new(KvModelOptions { max_propagation: secs(0), ..plain() });
    let (here, there) = (model.at("AMS"), model.at("SIN"));
    assert_eq!(get(&there, &model), None);
    put(&here, &model, "one").unwrap();
    model.run_for(secs(25));
    assert_eq!(get(&there, &model), None);
    model.run_for(secs(6));
    assert_eq!(get(&there, &model).as_deref(), Some("one"));
}

#[test]
fn a_write_reaches_every_location_within_the_longest_propagation_and_some_late() {
    let mut late = 0;
    for seed in 0..200 {
        let model = KvModel::new(KvModelOptions { seed, cache_ttl: secs(0), ..plain() });
        let there = model.at("SIN");
        put(&model.at("AMS"), &model, "one").unwrap();
        model.run_for(secs(50));
        late += u32::from(get(&there, &model).is_none());
        model.run_for(secs(10));
        assert_eq!(get(&there, &model).as_deref(), Some("one"));
    }
    assert!((5..50).contains(&late), "{late} of 200 took longer than 50 s");
}

#[test]
fn some_writes_are_not_seen_at_once_where_they_were_made() {
    // A cached miss hides half of them.
    for (looks_first, expected) in [(true, 70..130), (false, 30..70)] {
        let unseen = (0..1000).filter(|seed| {
            let model = KvModel::new(KvModelOptions { seed: *seed, locally_invisible: 0.1, ..plain() });
            let here = model.at("AMS");
            if looks_first {
                assert!(get(&here, &model).is_none());
            }
            put(&here, &model, "one").unwrap();
            get(&here, &model).is_none()
        });
        let unseen = unseen.count();
        assert!(expected.contains(&unseen), "{unseen} of 1000");
    }
}

#[test]
fn nothing_older_is_read_once_the_bound_has_passed() {
    for seed in 0..300 {
        let model = KvModel::new(KvModelOptions { seed, slow: 0.3, ..KvModelOptions::default() });
        let (here, there) = (model.at("AMS"), model.at("SIN"));
        put(&here, &model, "old").unwrap();
        for moment in 0..20 {
            let (there, reader) = (there.clone(), model.clone());
            model.spawn(async move {
                reader.sleep(secs(150) + secs(5) * moment).await;
                there.get("key").await.unwrap();
            });
        }
        model.run_for(secs(160));
        put(&here, &model, "new").unwrap();
        model.run_for(model.options().staleness_bound());
        assert_eq!(get(&there, &model).as_deref(), Some("new"), "seed {seed}");
    }
}

#[test]
fn a_key_takes_one_write_a_second() {
    let model = KvModel::new(plain());
    let here = model.at("AMS");
    put(&here, &model, "one").unwrap();
    assert_eq!(put(&here, &model, "two").unwrap_err(), "KV PUT failed: 429 Too Many Requests");
    model.block_on(here.put("another key", b"", 60, None)).unwrap().unwrap();
    model.block_on(here.delete("key")).unwrap().unwrap();
    assert_eq!(get(&here, &model), None, "a delete is not counted");
    model.run_for(secs(1));
    put(&here, &model, "three").unwrap();
    assert_eq!(get(&here, &model).as_deref(), Some("three"));
    model.change_options(|options| KvModelOptions { limits_deletes: true, ..options });
    assert!(model.block_on(here.delete("key")).unwrap().is_err());
}

#[test]
fn operations_that_kv_refuses_are_refused() {
    let model = KvModel::new(plain());
    let here = model.at("AMS");
    let too_long = "k".repeat(513);
    for (key, status) in [("", "400"), (".", "400"), ("..", "400"), (too_long.as_str(), "414")] {
        let read = cause(model.block_on(here.get(key)).unwrap().unwrap_err());
        let written = cause(model.block_on(here.put(key, b"", 60, None)).unwrap().unwrap_err());
        assert!(read.contains(status) && written.contains(status), "{key}: {read}, {written}");
    }
    let refused = |value: &[u8], ttl, metadata| {
        cause(model.block_on(here.put("key", value, ttl, metadata)).unwrap().unwrap_err())
    };
    assert!(refused(b"", 59, None).contains("400"));
    assert!(refused(&vec![0; 25 * 1024 * 1024 + 1], 60, None).contains("413"));
    assert!(refused(b"", 60, Some(&"x".repeat(1025))).contains("413"));
    assert!(model.block_on(here.get(&"k".repeat(512))).unwrap().is_ok());
}

#[test]
fn a_value_expires_after_its_ttl_even_in_a_cache() {
    let model = KvModel::new(plain());
    let here = model.at("AMS");
    model.block_on(here.put("key", b"value", 60, None)).unwrap().unwrap();
    model.run_for(secs(50));
    assert!(get(&here, &model).is_some());
    model.run_for(secs(11));
    assert_eq!(get(&here, &model), None);
    assert!(model.entries().is_empty());
    model.fail_next(OperationKind::Get, Fault::Expired);
    assert_eq!(get(&here, &model).as_deref(), Some("value"), "unless KV forgets to");
}

#[test]
fn a_put_that_failed_may_have_been_applied() {
    let model = KvModel::new(plain());
    let here = model.at("AMS");
    model.fail_next(OperationKind::Put, Fault::AppliedButFailed(500));
    assert!(put(&here, &model, "one").is_err());
    assert_eq!(get(&here, &model).as_deref(), Some("one"));
    model.run_for(secs(1));
    model.fail_next(OperationKind::Put, Fault::Status(500));
    assert!(put(&here, &model, "two").is_err());
    assert_eq!(get(&here, &model).as_deref(), Some("one"));
}

#[test]
fn a_late_put_overwrites_a_later_one() {
    let model = KvModel::new(plain());
    let here = model.at("AMS");
    model.fail_next(OperationKind::Put, Fault::Late(secs(10)));
    assert!(put(&here, &model, "late").is_err());
    put(&here, &model, "later").unwrap();
    assert_eq!(model.entries()[0].1, b"later");
    model.run_for(secs(11));
    assert_eq!(model.entries()[0].1, b"late");
}

#[test]
fn every_fault_of_a_read_has_its_effect() {
    let model = KvModel::new(plain());
    let here = model.at("AMS");
    model.block_on(here.put("other", b"other value", 60, None)).unwrap().unwrap();
    for value in ["older", "old", "new"] {
        put(&here, &model, value).unwrap();
        model.run_for(secs(2));
    }
    let read = |fault| {
        model.fail_next(OperationKind::Get, fault);
        model.block_on(here.get("key")).unwrap().map_err(cause)
    };
    let some = |text: &str| Ok(Some(text.as_bytes().to_vec()));
    assert_eq!(read(Fault::Missing), Ok(None));
    assert_eq!(read(Fault::Stale(1)), some("old"));
    assert_eq!(read(Fault::Stale(2)), some("older"));
    assert_eq!(read(Fault::Truncated(1)), some("n"));
    assert_eq!(read(Fault::FlippedBit(8)), some("ndw"));
    assert_eq!(read(Fault::Replaced(vec![0xff])), Ok(Some(vec![0xff])));
    assert_eq!(read(Fault::OfKey("other".to_owned())), some("other value"));
    for status in [414, 500, 503] {
        assert!(read(Fault::Status(status)).unwrap_err().contains(&status.to_string()));
    }
    assert_eq!(get(&here, &model).as_deref(), Some("new"), "none of it stays");
    let before = model.now();
    read(Fault::Slow(secs(7))).unwrap();
    assert_eq!(model.now() - before, secs(7));
    model.fail_next(OperationKind::Get, Fault::Hang);
    assert_eq!(model.block_on(model.within(secs(30), here.get("key"))).unwrap().map(drop), None);
}

#[test]
fn an_aborted_request_leaves_its_write_pending() {
    let mut landed = 0;
    for seed in 0..200 {
        let options = KvModelOptions { seed, latency: (secs(2), secs(2)), ..plain() };
        let model = KvModel::new(options);
        let here = model.at("AMS");
        let gone = model.block_on(model.within(Duration::from_micros(1), here.put("key", b"", 60, None)));
        assert!(gone.unwrap().is_none());
        model.run_for(secs(5));
        landed += model.entries().len();
    }
    assert!((60..140).contains(&landed), "{landed} of 200");
}

#[test]
fn in_an_outage_only_caches_respond() {
    let model = KvModel::new(plain());
    let (here, there) = (model.at("AMS"), model.at("SIN"));
    put(&here, &model, "one").unwrap();
    model.set_outage(true);
    assert_eq!(get(&here, &model).as_deref(), Some("one"));
    assert_eq!(try_get(&there, &model), Err("KV GET failed: 503 Service Unavailable".to_owned()));
    model.run_for(secs(2));
    assert!(put(&here, &model, "two").is_err());
    model.set_outage(false);
    assert_eq!(model.entries()[0].1, b"one");
}

#[test]
fn a_list_comes_in_pages_and_an_empty_one_is_not_the_end() {
    let options = KvModelOptions { page_size: 2, empty_pages: 0.5, ..plain() };
    let model = KvModel::new(options);
    let here = model.at("AMS");
    let (listed, pages) = model
        .block_on(async {
            for key in ["a:1", "b:1", "b:2", "b:3", "c:1"] {
                here.put(key, b"", 60, None).await.unwrap();
            }
            let (mut listed, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
            loop {
                let page = here.list("b:", cursor.as_deref()).await.unwrap();
                listed.extend(page.entries.iter().map(|(key, _)| key.as_str().to_owned()));
                pages += 1;
                cursor = page.cursor;
                if cursor.is_none() {
                    break (listed, pages);
                }
            }
        })
        .unwrap();
    assert_eq!(listed, ["b:1", "b:2", "b:3"]);
    assert!(pages >= 2);
}

/// The log of many operations of many tasks.
fn history(seed: u64) -> Vec<String> {
    let model = KvModel::new(KvModelOptions { seed, ..KvModelOptions::hostile() });
    let log = Rc::new(RefCell::new(Vec::new()));
    let landed = Rc::clone(&log);
    model.on_applied_write(move |write| landed.borrow_mut().push(format!("{:?} {} landed", write.at, write.key)));
    for task in 0..20_u64 {
        let (model, log) = (model.clone(), Rc::clone(&log));
        model.clone().spawn(async move {
            let here = model.at(["AMS", "SIN", "IAD"][task as usize % 3]);
            for turn in 0..10 {
                let key = format!("key {}", (task + turn) % 4);
                let put = here.put(&key, format!("{task} {turn}").as_bytes(), 60, None).await.is_ok();
                let read = here.get(&key).await.ok().flatten();
                log.borrow_mut().push(format!("{:?} {task} {turn} {put} {read:?}", model.now()));
                model.sleep(Duration::from_millis(700)).await;
            }
        });
    }
    model.run();
    log.take()
}

#[test]
fn a_seed_repeats_its_history() {
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
    assert!(history(1).len() > 200);
}

#[test]
fn as_a_store_it_waits_in_virtual_time() {
    let model = KvModel::new(plain());
    model.block_on(model.at("AMS").wait(1_500)).unwrap();
    assert_eq!(model.now(), Duration::from_millis(1_500));
}
