//! The calls on one session, by their names in the protocol.

use edge_session::{Result, Session};
use serde_json::{Value, json};

use crate::values::{expiry, iso, options, pairs, set_odd, text};

/// The result of a call; `None` if the crate has no such call.
pub fn call(session: &mut Session, step: &Value) -> Option<Result<Value>> {
    let nothing = |result: Result<()>| Some(result.map(|()| Value::Null));
    let key = || text(&step["key"]);
    let value = || step["value"].clone();
    match text(&step["call"]) {
        "item" => Some(session.item(key())),
        "set" if value().is_array() => nothing(session.set_json(key(), &value().to_string())),
        "set" => nothing(session.set(key(), value())),
        "set_odd" => set_odd(session, step).and_then(nothing),
        "remove" => nothing(session.remove(key())),
        "map_delete" => Some(map_delete(session, key())),
        "has" => Some(session.contains_key(key()).map(Value::from)),
        "get" if key() == "cart" => Some(session.get_json(key()).map(|found| match found {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => step["default"].clone(),
        })),
        "get" => Some(session.get(key()).map(|found| found.unwrap_or_else(|| step["default"].clone()))),
        "pop" => Some(match step.get("default") {
            Some(default) => session.pop_or(key(), default.clone()),
            None => session.pop(key()),
        }),
        "setdefault" => Some(session.setdefault(key(), value())),
        "update" if pairs(&step["pairs"]).len() == 2 => nothing(session.update_json(&object(&pairs(&step["pairs"])))),
        "update" => nothing(session.update(pairs(&step["pairs"]))),
        "keys" => Some(session.keys().map(Value::from)),
        "values" => Some(session.values::<Value>().map(Value::from)),
        "items" => Some(session.items::<Value>().map(|items| json!(items))),
        "mutate" => mutate(session, step),
        "set_modified" => {
            session.set_modified(step["value"] == true);
            Some(Ok(Value::Null))
        }
        "clear" => {
            session.clear();
            Some(Ok(Value::Null))
        }
        "create" => {
            session.create();
            Some(Ok(Value::Null))
        }
        "cycle_key" => nothing(session.cycle_key()),
        "set_test_cookie" => nothing(session.set_test_cookie()),
        "test_cookie_worked" => Some(session.test_cookie_worked().map(Value::from)),
        "delete_test_cookie" => nothing(session.delete_test_cookie()),
        "set_expiry" => nothing(session.set_expiry(expiry(&step["expiry"]))),
        "get_expiry_age" => Some(session.get_expiry_age(options(&step["options"])).map(Value::from)),
        "get_expiry_date" => Some(session.get_expiry_date(options(&step["options"])).map(|date| json!(iso(date)))),
        "get_expire_at_browser_close" => Some(session.get_expire_at_browser_close().map(Value::from)),
        "encode_decode" => {
            let signed = session.encode(pairs(&step["pairs"]));
            Some(signed.map(|signed| json!(session.decode::<Value>(&signed))))
        }
        other => panic!("there is no call {other}"),
    }
}

/// The JSON object of pairs, whose keys may come twice, with space wherever JSON allows it.
fn object(pairs: &[(String, Value)]) -> String {
    let members: Vec<_> = pairs.iter().map(|(key, value)| format!("{} : {value}", json!(key))).collect();
    format!(" {{ {} }}\n", members.join(" ,\t"))
}

fn map_delete(session: &mut Session, key: &str) -> Result<Value> {
    let there = session.contains_key(key)?;
    if there {
        session.remove(key)?;
    }
    Ok(there.into())
}

/// Rust returns copies: a value is changed by setting it again, which always sets the flag.
fn mutate(session: &mut Session, step: &Value) -> Option<Result<Value>> {
    if step["mark"] != true {
        return None;
    }
    let key = text(&step["key"]);
    let mut value: Value = match session.get(key) {
        Ok(value) => value.unwrap_or_default(),
        Err(error) => return Some(Err(error)),
    };
    if let Some(list) = value.as_array_mut() {
        list.push(7.into());
    } else if let Some(object) = value.as_object_mut() {
        object.insert("m".to_owned(), 7.into());
    } else {
        session.set_modified(true);
        return Some(Ok(Value::Null));
    }
    Some(session.set(key, value).map(|()| Value::Null))
}
