// The replay of one sequence: a store, a clock, sessions by name, browsers that keep cookies.

import { calls } from "./calls.mjs";

const ERRORS = { ES_KEY_ERROR: "key", ES_SESSION_INTERRUPTED: "interrupted", ES_KEY_TAKEN: "taken", ES_VALUE: "value" };

const SECRETS = ["the differential test's secret, of more than 32 bytes"];

/** The absolute deadline in a record. */
const absoluteIn = (value) => Number(/"absolute":(-?\d+)/.exec(new TextDecoder().decode(value))[1]);

/** A key that no session has. */
const UNKNOWN_KEY = "0123456789abcdefghijklmnopqrstuv";

export class Replay {
  sessions = new Map();
  keys = [];
  browsers = new Map();
  issued = new Map();
  arrived = new Map();
  /** By session object: the deadline of the record that it knows. */
  known = new Map();
  deadlines = new Map();
  puts = [];
  collisions = 0;
  /** By storage key: the owner of the record. */
  owners = new Map();

  constructor(implementation, { settings, start, consistency = "eventual" }) {
    this.implementation = implementation;
    this.now = start;
    // Django can leave SameSite out; here it is always sent.
    const { cookieSameSite, ...others } = settings;
    const chosen = cookieSameSite ? settings : others;
    const store = this.noting({ ...implementation.memory(), consistency }); // which selects the protocol
    const options = { store, secrets: SECRETS, clock: () => this.now, ...chosen };
    this.options = options;
    this.held = implementation.createSessions(options);
  }

  /** Wraps the store to record puts and deletes of records. */
  noting(store) {
    return {
      ...store,
      put: async (key, value, options) => {
        const isStored = await store.put(key, value, options);
        // The entries under other keys are tombstones.
        if (isStored && key.includes(":session:")) this.puts.push({ place: key, deadline: options.deadline, absolute: absoluteIn(value) });
        return isStored;
      },
      delete: (key) => {
        this.puts.push({ place: key, deadline: null });
        return store.delete(key);
      },
    };
  }

  async answer(step) {
    const answer = {};
    this.puts = [];
    try {
      const value = await this[step.op](step, answer);
      if (value !== undefined && value !== null) answer.v = value;
    } catch (error) {
      if (!error?.code?.startsWith("ES_")) throw error;
      answer.e = ERRORS[error.code] ?? error.code;
      answer.message = error.message;
    }
    const session = this.sessions.get(step.on ?? step.as);
    if (session) {
      answer.key = this.label(session.sessionKey);
      answer.accessed = session.accessed;
      answer.modified = session.modified;
      answer.empty = this.isEmpty(session);
    }
    return answer;
  }

  /** A committed session is closed, and shows only its key and its flags. */
  isEmpty(session) {
    try {
      return session.isEmpty();
    } catch (error) {
      if (error.code !== "ES_SESSION_CLOSED") throw error;
      return undefined;
    }
  }

  label(key) {
    if (key === undefined) return null;
    if (key === UNKNOWN_KEY) return "unknown";
    if (!this.keys.includes(key)) this.keys.push(key);
    return `K${this.keys.indexOf(key) + 1}`;
  }

  /** The key behind a label, or the text itself. */
  key(given) {
    if (given === null) return undefined;
    return given.text ?? this.keys[Number(given.label.slice(1)) - 1] ?? UNKNOWN_KEY;
  }

  // The kinds of steps.

  clock({ at }) {
    this.now = at;
  }

  async open({ as, key }, answer) {
    const session = await this.held.open(this.key(key));
    answer.reason = session.loadReason;
    this.sessions.set(as, session);
    this.learn(as);
  }

  async load({ as, cookies }, answer) {
    const header = cookies.flatMap((cookie) => this.cookies(cookie)).join("; ");
    const session = await this.held.load(header);
    answer.reason = session.loadReason;
    this.sessions.set(as, session);
    this.arrived.set(as, session.sessionKey);
    this.learn(as);
  }

  learn(name) {
    this.known.set(name, this.deadlines.get(this.label(this.sessions.get(name).sessionKey))?.deadline ?? null);
  }

  cookies({ browser, issued, text, name = this.name(), form = "{name}={value}" }) {
    const kept = browser ? this.browsers.get(browser) : issued ? this.issued.get(issued) : new Map([[name, text]]);
    return [...(kept ?? [])].map(([name, value]) => form.replace("{name}", name).replace("{value}", value));
  }

  /** The default name of the session cookie. */
  name() {
    const { cookieName, cookieSecure = true, cookieDomain, cookiePath = "/" } = this.options;
    if (cookieName) return cookieName;
    if (!cookieSecure) return "sessionid";
    return cookieDomain || cookiePath !== "/" ? "__Secure-sessionid" : "__Host-sessionid";
  }

  async call(step, answer) {
    const session = this.sessions.get(step.on);
    if (step.call === "delete_own") return this.delete({ key: session.sessionKey ? { text: session.sessionKey } : null }, answer);
    const value = await calls[step.call](session, step);
    if (step.call === "flush") {
      answer.gone = !(await this.exists({ key: { text: this.arrived.get(step.on) ?? "" } }));
      answer.alive = await this.alive();
    }
    if (step.call === "create" || step.call === "cycle_key") {
      answer.written = await this.held.exists(session.sessionKey);
      if (!step.settle) return value;
      await session.save();
    }
    if (step.settle || step.call === "save") await this.tellRecord(step.on, answer);
    return value;
  }

  /** The deadline of the session's record in microseconds, its absolute deadline, and its data; null without a record. */
  async tellRecord(name, answer) {
    const key = this.sessions.get(name).sessionKey;
    const label = this.label(key);
    // A rotation puts the new record, unless it has expired, then deletes the old one.
    // On a linearizable store the keys of a login share a record, and a login then puts the anonymous record.
    const put = this.puts.find(({ place }) => place.endsWith(".login") || (this.owners.get(place) ?? label) === label);
    if (put) this.deadlines.set(label, put);
    if (put) this.owners.set(put.place, label);
    const { deadline = null, absolute = null } = this.deadlines.get(label) ?? {};
    answer.deadline = deadline !== null && deadline > this.now * 1000 ? deadline : null;
    answer.absolute = absolute;
    answer.kept = deadline !== null;
    answer.removed = put?.deadline === null;
    if (this.puts.length > 0) this.learn(name);
    answer.stored = (await this.held.open(key)).items();
  }

  async exists({ key }) {
    return key === null ? false : this.held.exists(this.key(key));
  }

  async delete({ key }, answer) {
    if (key !== null) await this.held.delete(this.key(key));
    answer.alive = await this.alive();
  }

  /** The keys with a session. */
  async alive() {
    const alive = [];
    for (const key of this.keys) if (await this.held.exists(key)) alive.push(this.label(key));
    return alive;
  }

  async fetch({ key }) {
    return (await this.held.open(this.key(key))).items();
  }

  /** Tries to create two records under one key, with a random source that repeats itself. */
  async collide(_step, answer) {
    if (this.options.store.consistency === "linearizable") {
      answer.skip = true; // with equal random bytes, the second save counts as a repetition of the first
      return undefined;
    }
    const bytes = new Uint8Array(32).fill(this.collisions++); // of a key that has not ended yet
    const sessions = this.implementation.createSessions({ ...this.options, entropy: () => bytes });
    const ends = [];
    let key;
    for (const _ of [1, 2]) {
      const session = await sessions.open();
      session.create();
      key = session.sessionKey;
      ends.push(await session.save().then(() => "ok", (error) => ERRORS[error.code]));
    }
    await sessions.delete(key);
    return ends;
  }

  async clear_expired() {
    return (await this.held.clearExpired()).removed;
  }

  async commit(step, answer) {
    const session = this.sessions.get(step.on);
    answer.before = this.known.get(step.on);
    const headers = await this.answered(session, step);
    answer.wrote = this.puts.length > 0;
    answer.untouched = { vary: step.headers.Vary ?? null, cache: step.headers["Cache-Control"] ?? null };
    answer.vary = headers.get("Vary");
    answer.cache = headers.get("Cache-Control");
    answer.cookie = null;
    answer.also = [];
    for (const line of headers.getSetCookie()) {
      const cookie = await this.received(step, line);
      if (answer.cookie) answer.also.push(cookie);
      else answer.cookie = cookie;
    }
    if (session.sessionKey) await this.tellRecord(step.on, answer);
  }

  /** The headers after the commit: of a response, or where it has none of its own by themselves. */
  async answered(session, { status, headers }) {
    if (Object.keys(headers).length === 0 && status % 2) return new Headers(await this.held.commitHeaders(session, status));
    const body = [204, 205, 304].includes(status) ? null : "page";
    return (await this.held.commit(session, new Response(body, { status, headers }))).headers;
  }

  async received({ browser }, line) {
    const [pair, ...attributes] = line.split("; ");
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    const given = new Map(attributes.map((text) => text.split("=")).map(([key, ...rest]) => [key.toLowerCase(), rest.join("=")]));
    const label = value && this.label((await this.held.load(pair)).sessionKey);
    const jar = this.browsers.get(browser) ?? new Map();
    this.browsers.set(browser, jar);
    jar.delete(name);
    if (value) {
      jar.set(name, value);
      this.issued.set(label, new Map([[name, value]]));
    }
    const age = given.get("max-age");
    return {
      name,
      value: label,
      form: /^[\w-]{116,}$/.test(value) ? "token" : value,
      "max-age": age === undefined ? null : Number(age),
      secure: given.has("secure"),
      httponly: given.has("httponly"),
      expires: given.get("expires") ?? null,
      domain: given.get("domain") ?? null,
      path: given.get("path") ?? null,
      samesite: given.get("samesite") ?? null,
    };
  }
}
