// Guards to take out, one at a time: the simulation has to notice each, by a promise that is broken, or by a rate that is `factor`
// times what it was, or as many times less. Each `from` stands in its file exactly once.

const record = "src/session/record.rs";
const lifecycle = "src/session/lifecycle.rs";
const load = "src/protocol/load.rs";
const save = "src/protocol/save.rs";
const revoke = "src/protocol/revoke.rs";
const freshness = "src/protocol/freshness.rs";

export const ablations = [
  {
    what: "tombstones stand under the record's own key",
    edits: [
      { file: revoke, from: "vec![StorageKey::record(prefix, &identity.key), StorageKey::ended(prefix, own)]", to: "vec![StorageKey::record(prefix, &identity.key)]" },
      { file: revoke, from: "tombstone(ENDED, StorageKey::ended(&settings.key_prefix, identity.key.digest()), settings, identity, now)", to: "tombstone(ENDED, StorageKey::record(&settings.key_prefix, &identity.key), settings, identity, now)" },
      { file: revoke, from: "Op::Delete { key: StorageKey::record(&settings.key_prefix, &identity.key) }", to: "Op::Delete { key: StorageKey::family(&settings.key_prefix, identity.key.digest()) }" },
    ],
  },
  { what: "a load reads no tombstone", file: load, from: "Some(identity) if settings.check_ended => {", to: "Some(identity) if settings.check_ended && settings.key_prefix.is_empty() => {" },
  { what: "a save looks at no tombstone", file: save, from: "if tombstones.iter().any(Option::is_some) {", to: "if tombstones.len() > 9 {" },
  { what: "a logout ends no family", file: revoke, from: "if let Some(family) = identity.family {", to: "if let Some(family) = identity.family.filter(|_| settings.key_prefix.is_empty()) {" },
  { what: "generations tell what is fresh, not tags", file: freshness, from: "if record.head.tags.contains(&position.tag) {", to: "if record.head.generation >= position.generation {" },
  { what: "generations do not grow", file: lifecycle, from: ".max(known).saturating_add(1)", to: ".max(known)" },
  { what: "no journal repairs", file: freshness, from: "&& journal.repair(record)", to: "&& journal.states.is_empty()", rate: "stale", factor: 3 },
  {
    what: "the absolute deadline ends nothing",
    edits: [
      { file: record, from: "self.deadline.min(self.absolute)", to: "self.deadline" },
      { file: load, from: "if identity.absolute.has_passed(session.now()) =>", to: "if settings.key_prefix.is_empty() =>" },
    ],
  },
  { what: "each login begins a new life", file: lifecycle, from: "=> (*family, *absolute),", to: "=> (*family, Deadline::after(self.now, self.settings.absolute_age).max(*absolute)),", },
  { what: "tombstones end with the session", file: revoke, from: "const MARGIN: i64 = 180;", to: "const MARGIN: i64 = 0;" },
  { what: "a save builds on what its request loaded", file: save, from: "if !head.tags.first().is_some_and(|tag| session.has_seen(tag)) {", to: "if session.base().is_none() {", rate: "write undone by another save", factor: 1.5 },
  { what: "a logout ends only what its load found", file: lifecycle, from: "[own, self.retired.take(), self.named.clone()]", to: "[own, self.retired.take(), None]" },
  { what: "a failed read counts as nothing there", file: load, from: "(Reply::Unavailable(error), _) => (Fetched::Unavailable(error), LoadReason::Unavailable),", to: "(Reply::Unavailable(_), _) => (Fetched::Unknown, LoadReason::Unknown)," },
  { what: "a second try does not look first", file: save, from: "session.catch_up();\n                self.look(session)", to: "session.catch_up();\n                self.write(session)", rate: "write undone by the second try of a save at the same place", factor: 2 },
  {
    what: "a new key is looked for before it is put",
    edits: [
      { file: save, from: "let keys = revoke::record_and_tombstones(session.settings(), origin);", to: "let mut keys = revoke::record_and_tombstones(session.settings(), origin);\n        keys.extend(session.session_key().filter(|_| session.is_cycling()).map(|key| StorageKey::record(&session.settings().key_prefix, key)));" },
      { file: save, from: "let Some(origin) = session.origin() else { return self.write(session) };", to: "let Some(origin) = session.origin().or(session.identity()) else { return self.write(session) };" },
      { file: save, from: "} else if session.is_cycling() {\n            self.write(session)", to: "} else if session.is_cycling() || session.stored_key().is_none() {\n            self.write(session)" },
    ],
    rate: "not yet visible where it was saved",
    factor: 1.2,
  },
  { what: "a login deletes the old record before it puts the new one", file: save, from: "Ok(Step::Write(vec![op]))\n    }\n\n    fn written", to: "let old = session.origin().filter(|_| session.is_cycling()).map(|old| revoke::delete(session.settings(), old));\n        Ok(Step::Write(old.into_iter().chain([op]).collect()))\n    }\n\n    fn written" },
  { what: "nothing is not visible yet", file: freshness, from: "session.position().is_some() && is_recent(session, NOT_YET_VISIBLE)", to: "session.position().is_none()" },
  { what: "a late answer gives its cookie", file: lifecycle, from: "const LATE: i64 = 5_000;", to: "const LATE: i64 = 500_000;" },
];
