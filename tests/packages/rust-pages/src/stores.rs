//! The operations of a store, each as a route: for tests of the engines without sessions.

use edge_session::store::{OnlyIf, Op, StorageKey, WriteOutcome};
use edge_session::{D1, DurableObjects, Error, Kv, Store};
use edge_session_kv_model::StoreContract;
use worker::{Env, Request, Response, Result};

/// A put in a request's body: key, value, deadline, generation, and the generation that the stored record must have; 0 if there
/// must be none.
type Put = (String, Vec<u8>, i64, u32, Option<u32>);

/// `{engine}/{operation}`. The body has the arguments, the response the result; a failed operation has the status 500.
pub async fn answer(path: &str, request: Request, env: &Env) -> Result<Response> {
    match path.split_once('/') {
        Some(("kv", operation)) => run(Kv::from_env(env, "SESSIONS"), operation, request).await,
        Some(("durable_object", operation)) => {
            run(DurableObjects::from_env(env, "SESSION_OBJECTS"), operation, request).await
        }
        Some(("european_object", operation)) => {
            let store = DurableObjects::from_env(env, "SESSION_OBJECTS");
            let store =
                store.and_then(|store| store.with_jurisdiction("eu")).map(|store| store.with_location_hint("weur"));
            run(store, operation, request).await
        }
        Some(("d1", operation)) => run(D1::from_env(env, "SESSION_DB"), operation, request).await,
        _ => Response::error("no such engine", 404),
    }
}

/// Responds with the result of an operation.
macro_rules! answer_with {
    ($result:expr) => {
        match $result {
            Ok(value) => Response::from_json(&value),
            Err(error) => failure(&error),
        }
    };
}

async fn run(store: edge_session::Result<impl Store>, operation: &str, mut request: Request) -> Result<Response> {
    let store = match store {
        Ok(store) => store,
        Err(error) => return failure(&error),
    };
    match operation {
        "about" => {
            let about = (format!("{:?}", store.consistency()), store.expires_records());
            Response::from_json(&about)
        }
        "read" => {
            let keys: Vec<String> = request.json().await?;
            let keys: Vec<_> = keys.into_iter().map(StorageKey::listed).collect();
            answer_with!(store.read(&keys).await)
        }
        "put" => {
            let puts: Vec<Put> = request.json().await?;
            let ops = puts.into_iter().map(put).collect();
            answer_with!(store.write(ops).await.map(|outcome| outcome == WriteOutcome::All))
        }
        "delete" => {
            let key = StorageKey::listed(request.json::<String>().await?);
            answer_with!(store.write(vec![Op::Delete { key }]).await.map(|outcome| outcome == WriteOutcome::All))
        }
        "list" => {
            let (prefix, cursor): (String, Option<String>) = request.json().await?;
            answer_with!(store.list(&prefix, cursor.as_deref()).await.map(|page| {
                let entries = page.entries.into_iter().map(|(key, deadline)| (key.as_str().to_owned(), deadline));
                (entries.collect::<Vec<_>>(), page.cursor)
            }))
        }
        "contract" => {
            let (run, lists): (String, bool) = request.json().await?;
            let contract = StoreContract::new(run);
            let contract = if lists { contract } else { contract.without_lists() };
            let breaches = contract.check(&store).await;
            Response::from_json(&breaches.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        "delete-expired" => {
            let (prefix, before, limit): (String, i64, usize) = request.json().await?;
            answer_with!(store.delete_expired(&prefix, before, limit).await)
        }
        _ => Response::error("no such operation", 404),
    }
}

fn put((key, value, deadline, generation, if_generation): Put) -> Op {
    let only_if = if_generation.map_or(OnlyIf::Any, |n| if n == 0 { OnlyIf::Absent } else { OnlyIf::Generation(n) });
    Op::Put { key: StorageKey::listed(key), value, ttl: 3600, deadline, generation, only_if }
}

/// `[code, message, cause]`
fn failure(error: &Error) -> Result<Response> {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    Ok(Response::from_json(&(error.code(), error.message(), cause))?.with_status(500))
}
