// Compares Django's answers to a sequence with an implementation's, call by call, and stops where they are no longer comparable.

import { LONGEST, differences } from "./differences.mjs";
import { same } from "./lines.mjs";

/** Calls that use the data without a read of the store. */
const BLIND = new Set(["clear", "flush", "create"]);

/** For how long, in milliseconds, isolate memory keeps a record that was saved with a past deadline. */
const REMEMBERED = 130_000;

/** A response that is sent more than this number of milliseconds after the request is late. */
const LATE = 5_000;

/** Calls that do not use the data. */
const OUTSIDE = new Set(["set_modified", "delete_own", "encode_decode"]);

/** Calls that can change the data of a session, or its flag. */
const CHANGING = new Set([
  "set", "remove", "map_delete", "pop", "setdefault", "update", "mutate", "set_modified", "clear", "create", "set_test_cookie", "delete_test_cookie", "set_expiry",
]);

/** The fields of an answer that only the judge uses. */
const ASIDE = ["before", "wrote", "message", "untouched", "same", "depends", "plain", "kept", "removed", "others", "merged", "lines", "state", "presented", "refusal", "second", "dead", "early"];

/** For how long, in milliseconds, a session that was saved somewhere may be missing elsewhere, and how far clocks may differ. */
const NOT_YET_VISIBLE = 100_000;
const SKEW = 10_000;

/**
 * `{ compared, rows, mismatch }`: how many answers were compared, which differences occurred, and the first that is none of
 * them: `{ at, step, django, expected, ours }`.
 */
export function judge(sequence, django, ours) {
  const walk = new Walk(sequence);
  const rows = new Map();
  let compared = 0;
  for (const [at, step] of sequence.steps.entries()) {
    const [theirs, own] = [django[at], ours[at]];
    if (own.skip || walk.endsBefore(step, theirs)) break;
    // Django is asked only where it has saved, and for the data only where it would have stored others.
    if (theirs.deadline === undefined) delete own.deadline;
    if (theirs.stored === undefined) delete own.stored;
    const { expected, explained } = walk.explain(step, theirs, own);
    if (!same(strip(expected), strip(own))) return { compared, rows, mismatch: { at, step, django: theirs, expected, ours: own } };
    for (const row of explained) rows.set(row, (rows.get(row) ?? 0) + 1);
    compared++;
    if (walk.endsAfter(step, theirs, own)) break;
  }
  return { compared, rows };
}

/** The state of the judge at each step of a sequence. */
class Walk {
  constructor({ settings, start, consistency }) {
    this.settings = settings;
    this.isLinearizable = consistency === "linearizable";
    this.start = start;
    this.now = start;
    this.latest = start;
    /** By session object: whether its data were used, the events since its load, and its last answer. */
    this.objects = new Map();
    /** By key: the deadline of its record, in Django and here. */
    this.ends = new Map();
    /** By key: whether it has a record, or when one was saved with a past deadline. */
    this.records = new Map();
    /** By key, and by browser and key: the time of the save that the cookie's token names. */
    this.issued = new Map();
  }

  /** Returns whether the next step makes Django and the implementation diverge legitimately. */
  endsBefore(step, django) {
    const on = this.objects.get(step.on);
    // A key that is not stored yet cannot be looked up in the store.
    const pending = [...this.objects.values()].find((object) => object.pending);
    if (pending && pending !== on) return true;
    if (on?.pending && step.call === "delete_own") return true;
    // Django wrote a record that expired at once, and misses it; here it was never written.
    if (on?.pending && django.e === "interrupted") return true;
    return step.op === "clock" && (this.isBetween(step.at * 1000) || this.revives(step.at * 1000));
  }

  /** Returns whether the clock goes back to before the deadline of an expired record, which Django's cache deletes on access. */
  revives(micros) {
    return [...this.ends.values()].some(([django, ours]) => Math.min(django, ours) <= this.latest * 1000 && micros < Math.max(django, ours));
  }

  /** Returns whether a record has expired in one of them only. Django's cache engine counts whole seconds up to a date. */
  isBetween(micros) {
    return [...this.ends.values()].some(([django, ours, saved]) => {
      if (django === null && ours === null) return micros < saved; // expired when it was saved, and kept by one of them
      const ends = [django, ours, django === null ? null : saved + Math.floor((django - saved) / 1e6) * 1e6].map((end) => end ?? -Infinity);
      return micros >= Math.min(...ends) && micros < Math.max(...ends);
    });
  }

  explain(step, django, ours) {
    const on = this.objects.get(step.on);
    const facts = {
      step,
      settings: this.settings,
      now: this.now,
      start: this.start,
      ours,
      before: on?.last,
      unsent: on?.saved,
      newest: this.ends.get(on?.last.key)?.[1],
      unused: !on?.used,
      named: on?.named,
      presented: on?.presented ?? [],
      flushed: Boolean(on?.flushed),
      revoked: on?.reason === "revoked" && !on.flushed,
      unknownLogin: on?.reason === "unknown" && !on.flushed && django.lines?.[on.named]?.rotations > 0,
      superseded: on?.reason === "superseded" && !on.flushed && !on.cycled,
      unseen: on?.reason === "not-yet-visible" && !on.flushed,
      late: this.now - on?.began > LATE && !on.flushed,
      refusal: django.refusal,
      cycling: on?.cycling,
      changed: Boolean(on?.changed),
      lines: django.lines ?? {},
      deadlines: [...this.ends.values()].map(([, end]) => end),
    };
    let expected = this.without(step, django, ours.empty === null);
    if (ours.reason !== undefined) expected.reason = this.reason(step, django, ours);
    if (step.op === "commit" && !django.e) expected.also = [];
    if (ours.absolute !== undefined) expected.absolute = ours.absolute === null ? null : django.lines[ours.key]?.absolute;
    const explained = [];
    for (const { id, expect, occurs } of differences) {
      if (!expect) continue;
      const next = expect(expected, facts);
      if (!same(next, expected) || occurs?.(django, facts)) explained.push(id);
      expected = next;
    }
    return { expected: this.isLinearizable && django.e === "interrupted" ? refused(expected, step, ours) : expected, explained };
  }

  /** Django's answer without the fields that the implementation omits at this step. */
  without(step, django, closed) {
    const answer = { ...django };
    if (closed) answer.empty = null;
    if (step.settle === false) ["deadline", "stored", "merged"].forEach((name) => delete answer[name]);
    return answer;
  }

  /** The expected load outcome. A linearizable store has no tombstones: a session that has ended is unknown there, and visible if it exists. */
  reason(step, django, ours) {
    const reason = this.reasonOnKv(step, django);
    return this.isLinearizable && ours.reason === "unknown" && ["revoked", "not-yet-visible"].includes(reason) ? "unknown" : reason;
  }

  reasonOnKv(step, { key, lines, state, presented = [] }) {
    if (key === null) return presented.length > 0 ? "malformed" : "new";
    const { absolute = null } = lines[key] ?? {};
    if (step.op === "load" && absolute !== null && absolute <= this.now * 1000) return "expired";
    if (state) return state;
    const { kept, removed } = this.records.get(key) ?? {};
    if (kept) return this.ends.get(key)?.[1] > this.now * 1000 ? "live" : "expired";
    if (removed !== undefined && Math.abs(this.now - removed) <= REMEMBERED) return "expired";
    const age = this.now - this.issuedAt(step, key);
    return -SKEW <= age && age <= NOT_YET_VISIBLE ? "not-yet-visible" : "unknown";
  }

  /** The time of the save that the request's cookie names. */
  issuedAt({ cookies = [] }, key) {
    const holders = cookies.map(({ browser, issued }) => (browser ? `${browser} ${key}` : issued));
    const times = holders.map((holder) => this.issued.get(holder)).filter((time) => time !== undefined);
    return Math.max(-Infinity, ...times);
  }

  /** Returns whether a step accesses the data of its session. */
  uses(step, { modified }) {
    if (step.op === "commit") return modified || Boolean(this.settings.saveEveryRequest);
    if (step.op !== "call" || BLIND.has(step.call) || OUTSIDE.has(step.call)) return false;
    return step.options?.expiry === undefined;
  }

  /** Records the effects of a step. Returns whether the rest cannot be compared. */
  endsAfter(step, django, ours) {
    if (step.op === "clock") this.latest = Math.max(this.latest, (this.now = step.at));
    const name = step.on ?? step.as;
    if (step.as) this.objects.delete(name);
    const on = this.objects.get(name) ?? {};
    const apart = this.parts(step, django, ours, on);
    if (step.op === "open" || step.op === "load") on.used = django.key === null;
    if (step.op === "call" && !OUTSIDE.has(step.call)) on.used ||= BLIND.has(step.call) || (this.uses(step, django) && django.e !== "interrupted"); // a refused save accesses no data
    if (step.op === "commit") on.used = true;
    if (name) this.objects.set(name, Object.assign(on, { last: stateOf(django) }));
    this.note(step, django, ours, on);
    if (this.touchesStore(step)) this.overtake(on, step);
    const parted = (step.op === "commit" || step.op === "call") && django.e !== ours.e;
    // A session that was not written sets no cookie; the browser keeps the cookie that it has, if any.
    const unsent = step.op === "commit" && django.cookie?.value !== ours.cookie?.value && (!on.hasOwn || on.presented.length > 1);
    // Django overwrote the record of another request.
    const unwritten = step.op === "commit" && (on.wasPending || (on.overtaken && django.cookie?.value)) && !ours.wrote;
    return apart || parted || unsent || unwritten || this.isBetween(this.now * 1000);
  }

  /** Returns whether the two have different states from here on, by a listed difference. */
  parts(step, django, ours, on) {
    if (step.op === "call" && django.key !== ours.key) return true;
    if (this.isLinearizable && django.e && ours.accessed !== django.accessed) return true; // a refused save
    return step.op === "commit" && (django.cookie === null) !== (ours.cookie === null) && (django.cookie?.value === "" || django.key !== ours.key);
  }

  note(step, django, ours, on) {
    this.noteIdentity(step, django, ours, on);
    on.wasPending = on.pending;
    if (step.settle === false && !django.e) on.pending = true;
    if (step.call === "save" || step.settle || step.op === "commit" || step.call === "flush") on.pending = false;
    if ((step.call === "save" || step.settle) && !django.e) on.saved = true;
    if (step.op === "load" || step.op === "open") on.saved = false;
    if (step.op === "load") on.hasOwn = step.cookies.filter(({ name }) => !name).every(({ browser, form }, _, all) => browser && !form && all.length === 1);
    if (django.deadline !== undefined && ours.deadline !== undefined && django.key) {
      this.ends.set(django.key, [django.deadline, ours.deadline, this.now * 1000]);
    }
    if (step.op === "clear_expired") for (const [key, [, end]] of this.ends) if (end + 120e6 <= this.now * 1000) this.ends.delete(key);
  }

  /** Records the keys, their state, and the key of each session. */
  noteIdentity(step, django, ours, on) {
    if (step.op === "load" || step.op === "open") {
      Object.assign(on, { began: this.now, named: step.op === "load" ? django.key : null, reason: ours.reason, presented: django.presented });
    }
    if (step.call === "flush") on.flushed = true;
    if (step.call === "cycle_key") on.cycled = true;
    if (step.settle !== undefined) on.cycling = step.settle ? undefined : step.call;
    else if (step.op !== "call") on.cycling = undefined;
    if (step.op === "load" || step.op === "open") on.changed = false;
    on.changed ||= step.op === "call" && django.modified && !(step.call === "update" && step.pairs.length === 0) && CHANGING.has(step.call);
    if (ours.kept !== undefined && ours.key) this.records.set(ours.key, { kept: ours.kept, removed: ours.removed ? this.now : this.records.get(ours.key)?.removed });
    if (step.op === "commit" ? ours.wrote : (step.call === "save" || step.settle) && !ours.e) on.savedAt = this.now;
    if (step.op !== "commit" || !ours.cookie) return;
    const { value } = ours.cookie;
    if (value) for (const holder of [`${step.browser} ${value}`, value]) this.issued.set(holder, on.savedAt ?? this.now);
  }

  /** Marks the other sessions, for which the store may have changed since their load. */
  overtake(on, step) {
    for (const other of this.objects.values()) if (other !== on || step.call === "delete_own") other.overtaken = true;
  }

  touchesStore(step) {
    return ["commit", "delete"].includes(step.op) || ["save", "flush", "delete_own"].includes(step.call) || Boolean(step.settle);
  }
}

/** The answer of a save that a linearizable store refuses. It reads the data first, and does not look for the new key of an expired session. */
function refused(expected, { call }, ours) {
  const e = expected.e === "ES_SUPERSEDED" && ours.e === "interrupted" ? ours.e : expected.e;
  return { ...expected, e, accessed: call === "save" ? ours.accessed : expected.accessed };
}

const stateOf = ({ key, accessed, modified, empty }) => ({ key, accessed, modified, empty });

function strip(answer) {
  return Object.fromEntries(Object.entries(answer).filter(([name, value]) => !ASIDE.includes(name) && value !== undefined));
}
