//! What goes wrong in KV at each step of each operation, and what comes of it: on the model, fault by fault.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
#![allow(missing_docs, unused_must_use)]
#![cfg(not(target_arch = "wasm32"))]

mod support;

use core::time::Duration;

use edge_session::{Fault, KvLocation, KvModel, KvModelOptions, LoadReason, OperationKind, Sessions, SettingsBuilder};
use support::{Browser, defaults};

/// A KV in which nothing takes time and nothing fails unless it is told to.
fn calm() -> KvModel {
    let none = (Duration::ZERO, Duration::ZERO);
    let write_interval = Duration::ZERO;
    KvModel::new(KvModelOptions {
        latency: none,
        slow: 0.0,
        locally_invisible: 0.0,
        write_interval,
        ..KvModelOptions::default()
    })
}

fn sessions_at(model: &KvModel, place: &str, settings: SettingsBuilder) -> Sessions<KvLocation> {
    let clock = model.clone();
    Sessions::new(model.at(place), settings.build().unwrap()).with_clock(move || clock.date())
}

// Found by the simulation: a second try on top of what another one had saved meanwhile carried the first one's mark, so that the
// first one, landing after it, was taken for it.
#[test]
fn a_first_try_that_lands_over_the_second_one_is_not_taken_for_it() {
    let model = calm();
    let sessions = sessions_at(&model, "AMS", defaults());
    model.block_on(async {
        let mut browser = Browser::default();
        for key in ["first", "mine"] {
            let mut session = sessions.load(browser.header()).await.unwrap();
            if key == "mine" {
                let mut other = sessions.load(browser.header()).await.unwrap();
                other.set("theirs", 1).unwrap();
                model.fail_next(OperationKind::Put, Fault::Late(Duration::from_secs(5)));
                let later = model.clone();
                let sessions = sessions_at(&model, "AMS", defaults());
                model.spawn(async move {
                    later.sleep(Duration::from_millis(500)).await;
                    sessions.commit_headers(&mut other, 200).await.unwrap();
                });
            }
            session.set(key, 1).unwrap();
            browser.take(&sessions.commit_headers(&mut session, 200).await.unwrap());
        }
        let mut session = sessions.load(browser.header()).await.unwrap();
        assert_eq!(session.keys().unwrap(), ["first", "theirs", "mine"]);
        model.sleep(Duration::from_secs(40)).await;
        let mut session = sessions.load(browser.header()).await.unwrap();
        assert_eq!(session.keys().unwrap(), ["first", "mine"]);
        assert_eq!(session.load_reason(), LoadReason::Stale);
    });
}
