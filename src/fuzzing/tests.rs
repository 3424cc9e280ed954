//! The targets with random inputs and with the kept corpus.

use super::*;
use proptest::prelude::*;

// H10: each run replays the kept corpus.
#[test]
fn the_kept_corpus_holds() {
    for (name, target) in TARGETS {
        let inputs = corpus::inputs(name);
        assert!(inputs.len() >= 10, "{name} has {}", inputs.len());
        inputs.iter().for_each(|input| target(input));
    }
}

/// Returns kept inputs with some bytes changed, inserted or removed.
fn damaged(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..3, any::<u8>());
    (prop::sample::select(inputs), prop::collection::vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    })
}

fn holds(name: &str, inputs: impl Strategy<Value = Vec<u8>>) {
    let (_, target) = TARGETS.into_iter().find(|(other, _)| *other == name).unwrap();
    let all = prop_oneof![damaged(corpus::inputs(name)), prop::collection::vec(any::<u8>(), 0..200), inputs];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) };
    proptest!(config, |(bytes in all)| target(&bytes));
}

#[test]
fn b7_no_cookie_header_panics_the_parser() {
    holds("cookie_header", "([a-z=; ]|__Host-sessionid=[a-z]{0,3}){0,40}".prop_map(String::into_bytes));
}

#[test]
fn a6_no_token_panics_the_parser() {
    holds("token", prop::collection::vec(any::<u8>(), 50..120));
}

#[test]
fn no_journal_panics_the_decoder() {
    let state = (0..3_u8, 0x1f_ff00..0x22_0000_u32, any::<u8>());
    let change = (0..6_u8, prop::bool::weighted(0.2), "[a-c]{0,2}", "[0-9]{1,3}");
    let all = (prop::collection::vec(state, 0..6), prop::collection::vec(change, 0..6));
    holds(
        "journal",
        all.prop_map(|(states, changes)| {
            let mut bytes = vec![u8::try_from(states.len()).unwrap()];
            for (kind, age, tag) in states {
                bytes.extend(&(age | u32::from(kind) << 22).to_be_bytes()[1..]);
                bytes.extend([tag, 0, 0, 1]);
            }
            for (place, removed, key, value) in changes {
                bytes.push(place | if removed { 0x80 } else { 0 });
                let key = format!("\"{key}\"");
                for text in [&key, &value].into_iter().take(if removed { 1 } else { 2 }) {
                    bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
            bytes
        }),
    );
}

#[test]
fn f10_no_record_panics_the_decoder() {
    let member = ("[a-c\"]{0,2}", "(null|-?[0-9]{1,3}|\"[a-z]{0,3}\"|\\[\\])");
    let members = prop::collection::vec(member, 0..6);
    let head = (any::<i64>(), any::<i64>(), any::<u32>());
    holds(
        "record",
        (head, members).prop_map(|((deadline, absolute, generation), members)| {
            let data: Vec<_> = members.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
            let sizes: Vec<_> =
                members.iter().map(|(key, value)| format!("{},{}", format!("{key:?}").len(), value.len())).collect();
            let (_, _, record) = &*VISITOR;
            let (sample, _) = str::from_utf8(record).unwrap().split_once(",\"sizes\"").unwrap();
            let sample = sample.replace("1894665600000000", &deadline.to_string());
            let sample = sample.replace("1928016000000000", &absolute.to_string());
            let sample = sample.replace("\"generation\":1", &format!("\"generation\":{generation}"));
            format!("{sample},\"sizes\":[{}],\"data\":{{{}}}}}", sizes.join(","), data.join(",")).into_bytes()
        }),
    );
}

#[test]
fn h1_h4_h8_the_scanner_accepts_the_grammar_of_serde_json() {
    let scalar = "(null|true|-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?|\"(\\PC|\\\\u[0-9a-fd]{4}|\\\\[nrt/\"]){0,4}\")";
    let value = scalar.prop_recursive(4, 30, 5, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(", ")));
        let object = prop::collection::vec(("[a-c]{0,1}", inner), 0..5).prop_map(|members| {
            let members: Vec<_> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        prop_oneof![array, object]
    });
    holds("json", value.prop_map(String::into_bytes));
}

#[test]
fn e6_no_expiry_or_time_panics_the_arithmetic() {
    let text = "-?[0-9]{1,20}(\\.0)?|\"?[0-9]{4}-?[01][0-9]-?[0-3][0-9][T ][0-2][0-9]:?[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+-][0-2][0-9]:[0-5][0-9])?\"?";
    let edges =
        [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX, 253_402_300_799_999_999, -62_135_596_800_000_000];
    let time = prop_oneof![any::<i64>(), prop::sample::select(edges.to_vec()), 0..4_000_000_000_000_000_i64];
    let age = prop_oneof![any::<i64>(), prop::sample::select(edges.to_vec())];
    holds(
        "expiry",
        (time, age, text).prop_map(|(time, age, text)| {
            [time.to_le_bytes().as_slice(), &age.to_le_bytes(), text.as_bytes()].concat()
        }),
    );
}

#[test]
fn no_django_text_panics_the_decoder() {
    holds("django_text", "\\.?[A-Za-z0-9_-]{0,30}:[A-Za-z0-9]{0,6}:[A-Za-z0-9_-]{0,43}".prop_map(String::into_bytes));
}
