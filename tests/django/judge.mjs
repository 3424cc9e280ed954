// Compares Django's answers to a sequence with a door's, call by call, and stops where nothing can be compared any more.

import { LONGEST, differences } from "./differences.mjs";
import { same } from "./lines.mjs";

/** Calls that use the data without looking at what is stored. */
const BLIND = new Set(["clear", "flush", "create"]);

/** Calls that do not use the data at all. */
const OUTSIDE = new Set(["set_modified", "delete_own", "encode_decode"]);

/** What an answer tells for the judge's sake. */
const ASIDE = ["absolute", "before", "wrote", "message", "untouched", "same", "depends", "plain", "kept", "ended", "others", "merged"];

/** For how long, in milliseconds, a session that was saved somewhere may be missing elsewhere. */
const NOT_YET_VISIBLE = 100_000;

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
    const { expected, explained, blind } = walk.explain(step, theirs, own);
    if (!same(strip(expected), strip(own))) return { compared, rows, mismatch: { at, step, django: theirs, expected, ours: own } };
    for (const row of explained) rows.set(row, (rows.get(row) ?? 0) + 1);
    if (!blind) compared++;
    if (walk.endsAfter(step, theirs, own)) break;
  }
  return { compared, rows };
}

/** What the judge knows of a sequence at each of its steps. */
class Walk {
  constructor({ settings, start }) {
    this.settings = settings;
    this.start = start;
    this.now = start;
    this.latest = start;
    /** By session object: whether its data were used, what has happened since it was loaded, and its last answer. */
    this.objects = new Map();
    /** By key: when its record ends, in Django and here. */
    this.ends = new Map();
    /** By key: the end that no save extends, and whether a record stands there. */
    this.records = new Map();
    /** The keys that have ended for good, those of them that a login left, and those that a login made. */
    this.ended = new Set();
    this.left = new Set();
    this.cycled = new Set();
    /** By browser, and by key: when the save was made that its cookie tells of. */
    this.issued = new Map();
  }

  /** Whether Django and the door are about to part, in a way that is no fault of either. */
  endsBefore(step, django) {
    const on = this.objects.get(step.on);
    // A key that is not stored yet is nothing that the store can be asked for.
    const pending = [...this.objects.values()].find((object) => object.pending);
    if (pending && pending !== on) return true;
    if (on?.pending && step.call === "delete_own") return true;
    // Django has written a record that was over at once, and misses it; here it was never written.
    if (on?.pending && django.e === "interrupted") return true;
    return step.op === "clock" && (this.isBetween(step.at * 1000) || this.revives(step.at * 1000));
  }

  /** Whether time goes back to before the end of a record that was over: Django's cache forgets such a record when it meets it. */
  revives(micros) {
    return [...this.ends.values()].some(([django, ours]) => Math.min(django, ours) <= this.latest * 1000 && micros < Math.max(django, ours));
  }

  /** Whether some record is over in one of them only. Django's cache engine counts whole seconds up to a date. */
  isBetween(micros) {
    return [...this.ends.values()].some(([django, ours, saved]) => {
      if (django === null && ours === null) return micros < saved; // over when it was saved, and kept by one of them
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
      overtaken: on?.overtaken,
      unused: !on?.used,
      named: on?.named,
      revoked: on?.reason === "revoked" && !on.flushed,
      unseen: on?.reason === "not-yet-visible" && !on.flushed && !on.fresh,
      late: Math.floor(this.now / 1000) - Math.floor(on?.began / 1000) > 5 && !on.flushed,
      refused: step.op === "commit" ? on?.refused : on?.used && this.isOver(on.last.key),
      deadlines: [...this.ends.values()].map(([, end]) => end),
      disturbed: Boolean(on?.disturbed && !on.used && this.uses(step, django)),
    };
    if (on) on.refuses = facts.refused;
    let expected = this.without(step, django, ours.empty === null);
    if (ours.reason !== undefined) expected.reason = this.reason(step, django, ours);
    const explained = [];
    for (const { id, expect } of differences) {
      if (!expect) continue;
      const next = expect(expected, facts);
      if (!same(next, expected)) explained.push(id);
      expected = next;
    }
    return { expected, explained, blind: facts.disturbed };
  }

  /** Django's answer without what the door does not tell at this step. */
  without(step, django, closed) {
    const answer = { ...django };
    if (closed) answer.empty = null;
    if (step.settle === false) ["deadline", "stored", "merged"].forEach((name) => delete answer[name]);
    return answer;
  }

  /** What a load comes to here. */
  reason(step, { key }, ours) {
    // Django does not tell whether there was a cookie.
    if (key === null) return ["new", "malformed"].includes(ours.reason) ? ours.reason : "new or malformed";
    const { absolute, kept } = this.records.get(key) ?? {};
    if (step.op === "load" && absolute != null && absolute <= this.now * 1000) return "expired";
    if (this.ended.has(key)) return "revoked";
    // Of a record that was over before it was written nothing is known but that its end can have come.
    if (!kept && ours.reason === "expired" && this.now - this.start >= (this.settings.absoluteAge ?? LONGEST) * 1000) return "expired";
    if (!kept) return this.now - this.issuedAt(step) <= NOT_YET_VISIBLE ? "not-yet-visible" : "unknown";
    const [, end] = this.ends.get(key) ?? [null, null];
    return end !== null && end > this.now * 1000 ? "live" : "expired";
  }

  /** Whether no login goes on with what stood under a key: it ended, and not for being left by an anonymous session's login. */
  isOver(key) {
    return this.ended.has(key) && (this.cycled.has(key) || !this.left.has(key));
  }

  /** When the save was made that the request's cookie tells of. */
  issuedAt({ cookies = [] }) {
    const times = cookies.map(({ browser, issued }) => this.issued.get(browser ?? issued)).filter((time) => time !== undefined);
    return Math.max(-Infinity, ...times);
  }

  /** Whether a step looks at the data of its session. */
  uses(step, { modified }) {
    if (step.op === "commit") return modified || Boolean(this.settings.saveEveryRequest);
    if (step.op !== "call" || BLIND.has(step.call) || OUTSIDE.has(step.call)) return false;
    return step.options?.expiry === undefined;
  }

  /** Takes note of what a step did. Whether the rest can't be compared. */
  endsAfter(step, django, ours) {
    if (step.op === "clock") this.latest = Math.max(this.latest, (this.now = step.at));
    const name = step.on ?? step.as;
    if (step.as) this.objects.delete(name);
    const on = this.objects.get(name) ?? {};
    const apart = this.parts(step, django, ours, on);
    const disturbed = on.disturbed && !on.used && this.uses(step, django);
    if (step.op === "open" || step.op === "load") on.used = django.key === null;
    if (step.op === "call" && !OUTSIDE.has(step.call)) on.used ||= BLIND.has(step.call) || (this.uses(step, django) && django.e !== "interrupted"); // a save that is refused looks at nothing
    if (step.op === "commit") on.used = true;
    if (name) this.objects.set(name, Object.assign(on, { last: stateOf(django) }));
    this.note(step, django, ours, on);
    if (this.touchesStore(step)) this.disturb(on, step);
    const parted = (step.op === "commit" || step.op === "call") && django.e !== ours.e;
    // What was not written was not sent either; a browser that had another cookie, or none, keeps that.
    const unsent = step.op === "commit" && django.cookie?.value !== ours.cookie?.value && !on.hasOwn;
    // Django wrote its record over that of another request.
    const unwritten = step.op === "commit" && (on.wasPending || (on.overtaken && django.cookie?.value)) && !ours.wrote;
    return apart || disturbed || parted || unsent || unwritten || this.isBetween(this.now * 1000) || (step.call === "flush" && django.gone !== ours.gone);
  }

  /** Whether the two have something else before them from here on, as the list of differences has it. */
  parts(step, django, ours, on) {
    if (step.op === "call") return django.key !== ours.key;
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

  /** Which keys there are, what has become of them, and which of them a session has. */
  noteIdentity(step, django, ours, on) {
    if (step.op === "load" || step.op === "open") Object.assign(on, { began: this.now, named: step.op === "load" ? django.key : null, reason: ours.reason });
    if (step.call === "flush") on.flushed = true;
    if (step.call === "create") on.fresh = true;
    if (step.call === "cycle_key" && !django.e) this.cycled.add(django.key);
    if (step.settle === false) on.refused = step.call === "cycle_key" && on.refuses;
    for (const key of django.ended ?? []) {
      if (step.call !== "cycle_key") this.left.delete(key);
      else if (!this.ended.has(key)) this.left.add(key);
      this.ended.add(key);
    }
    if (ours.kept !== undefined && ours.key) this.records.set(ours.key, { absolute: ours.absolute, kept: ours.kept });
    if (step.op === "commit" ? ours.wrote : (step.call === "save" || step.settle) && !ours.e) on.savedAt = this.now;
    if (step.op !== "commit" || !ours.cookie) return;
    const { value } = ours.cookie;
    if (value) for (const holder of [step.browser, value]) this.issued.set(holder, on.savedAt ?? this.now);
    else this.issued.delete(step.browser);
  }

  /** The other sessions may find something else in the store now than when they were loaded. */
  disturb(on, step) {
    for (const other of this.objects.values()) {
      if (other === on && step.call !== "delete_own") continue;
      other.disturbed = true;
      other.overtaken ||= step.op !== "clock";
    }
  }

  touchesStore(step) {
    return ["clock", "commit", "delete"].includes(step.op) || ["save", "flush", "delete_own"].includes(step.call) || Boolean(step.settle);
  }
}

const stateOf = ({ key, accessed, modified, empty }) => ({ key, accessed, modified, empty });

function strip(answer) {
  return Object.fromEntries(Object.entries(answer).filter(([name, value]) => !ASIDE.includes(name) && value !== undefined));
}
