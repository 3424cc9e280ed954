// Random sequences of calls: session objects, requests, and a clock that moves forward and back, under random settings.

import { aCall, aKey } from "./generate-calls.mjs";
import { chance } from "./random.mjs";
import { someSettings } from "./generate-settings.mjs";

/** 1 January 2030. */
const START = Date.UTC(2030, 0, 1);

const STATUSES = [200, 200, 200, 200, 201, 204, 206, 301, 302, 304, 399, 400, 404, 418, 499, 500, 502, 503, 599];

const VARY = ["Accept", "accept, COOKIE", "*", "Accept-Encoding, Accept", "Cookie, Accept", "Accept, *"];

const CACHE = ["public, max-age=60", "no-store", "s-maxage=9", "no-cache"];

/** Values that a request can send instead of its own session cookie. */
const FORGED = ["", "x", "1234567", "12345678", "0123456789abcdefghijklmnopqrstuv", "AQ".repeat(60), "é☃"];

/** A header that Python's parser and ours read differently. */
const FORMS = ['{name}="{value}"', "{name}=\u00a0{value}", "\u3000{name}={value}", "{name}={value}\u2003", '{name}="\\{value}"'];

/** One sequence of calls, for the drivers: `{ consistency, settings, start, steps }`. The consistency of the store selects the protocol. */
export function sequence(seed, consistency = process.env.DJANGO_CONSISTENCY ?? (seed % 2 ? "linearizable" : "eventual")) {
  return { consistency, ...stepsOf(seed) };
}

function stepsOf(seed) {
  const random = chance(seed);
  if (random.happens(0.06)) return sweeping(random);
  const scene = new Scene(random);
  return random.happens(0.1) ? scene.playTabs() : scene.play();
}

class Scene {
  constructor(random) {
    this.random = random;
    this.steps = [];
    this.now = START + random.below(1000);
    this.settings = someSettings(random);
    this.start = this.now;
    this.objects = [];
    this.requests = new Map();
    this.names = 0;
  }

  play() {
    const length = 8 + this.random.below(22);
    const act = this.random.happens(0.5) ? () => this.act() : () => this.visit();
    while (this.steps.length < length && !this.over) act();
    for (const on of this.requests.keys()) if (!this.over) this.commit(on);
    return { settings: this.settings, start: this.start, steps: this.steps };
  }

  /** A browser whose tabs send parallel requests, once or twice. */
  playTabs() {
    const { random } = this;
    for (let visits = 1 + random.below(2); visits > 0; visits--) {
      const [first] = this.tabs(1);
      this.add({ op: "call", on: first, call: "set", key: random.pick(["a", "b"]), value: visits });
      if (random.happens(0.6)) this.add({ op: "call", on: first, call: "cycle_key", settle: true });
      this.commit(first);
    }
    for (let rounds = 1 + random.below(2); rounds > 0 && !this.over; rounds--) {
      const tabs = this.tabs(2);
      // Both load their session before either gets its response.
      for (const on of tabs) this.add({ op: "call", on, call: "get", key: "a" });
      if (random.happens(0.35)) this.clock();
      for (let left = 2 + random.below(7); left > 0 && !this.over; left--) {
        if (random.happens(0.12)) tabs.push(...this.tabs(1, random.happens(0.5) ? { browser: "alice" } : { issued: `K${1 + random.below(3)}` }));
        if (random.happens(0.1)) this.pass(random.pick([1, 999, 1001, 5000, 5001, 50_000, 100_000, 100_001]));
        const open = tabs.filter((on) => this.requests.has(on));
        if (open.length > 0) this.inTab(random.pick(open));
      }
      for (const on of tabs) if (!this.over && this.requests.has(on)) this.commit(on);
      if (!this.over) this.visit();
    }
    return { settings: this.settings, start: this.start, steps: this.steps };
  }

  tabs(count, cookie = { browser: "alice" }) {
    return Array.from({ length: count }, () => {
      const as = `r${++this.names}`;
      this.add({ op: "load", as, cookies: [cookie] });
      this.requests.set(as, "alice");
      return as;
    });
  }

  inTab(on) {
    const { random } = this;
    const what = random.weighted({ set: 4, remove: 1, any: 1, save: 2, login: 1.5, logout: 1, commit: 2, copy: 0.5, clear: 0.4, end: 0.3 });
    if (what === "set") this.add({ op: "call", on, call: "set", key: random.pick(["a", "b", "cart"]), value: random.below(5) });
    else if (what === "remove") this.add({ op: "call", on, call: "map_delete", key: random.pick(["a", "b"]) });
    else if (what === "any") this.call(on);
    else if (what === "save") this.add({ op: "call", on, call: "save" });
    else if (what === "login") this.add({ op: "call", on, call: "cycle_key", settle: true });
    else if (what === "logout") this.add({ op: "call", on, call: "flush" });
    else if (what === "copy") this.add({ op: "call", on, call: "create", settle: true });
    else if (what === "clear") this.add({ op: "call", on, call: "clear" });
    else if (what === "end") this.delete();
    else this.commit(on);
  }

  act() {
    const { random } = this;
    const present = this.objects.length + this.requests.size > 0;
    const what = random.weighted({
      open: this.objects.length < 4 ? 1.5 : 0.2,
      load: this.requests.size < 3 ? 2.2 : 0.2,
      call: present ? 12 : 0,
      commit: this.requests.size > 0 ? 2.2 : 0,
      clock: 1,
      exists: 0.5,
      delete: 0.25,
      fetch: 0.4,
      collide: 0.03,
    });
    this[what]();
  }

  /** A browser comes back, mostly with a live session, and sometimes after a while. */
  visit() {
    const { random } = this;
    if (random.happens(0.4)) this.clock();
    const as = `r${++this.names}`;
    const browser = random.happens(0.9) ? "alice" : "bob";
    this.add({ op: "load", as, cookies: random.happens(0.92) ? [{ browser }] : this.cookies(browser) });
    this.requests.set(as, browser);
    if (random.happens(0.06)) {
      this.add({ op: "call", on: as, call: "mutate", key: "cart", mark: false });
      this.add({ op: "call", on: as, call: "save" });
    }
    for (let left = random.below(4); left > 0 && !this.over && this.requests.has(as); left--) this.call(as);
    if (!this.over && this.requests.has(as)) this.commit(as);
  }

  add(step) {
    this.steps.push(step);
  }

  open() {
    const as = `s${++this.names}`;
    this.add({ op: "open", as, key: this.random.happens(0.4) ? null : aKey(this.random) });
    this.objects.push(as);
    this.useSoon(as);
  }

  load() {
    const as = `r${++this.names}`;
    const browser = this.random.pick(["alice", "bob"]);
    this.add({ op: "load", as, cookies: this.cookies(browser) });
    this.requests.set(as, browser);
    this.useSoon(as);
  }

  /** Most programs use a session at once, without changes in between. */
  useSoon(on) {
    if (this.random.happens(0.65)) this.call(on);
  }

  cookies(browser) {
    const { random } = this;
    const other = { text: "dark", name: "theme" };
    switch (random.weighted({ own: 10, none: 1.5, forged: 2, old: 1.5, odd: 0.6, two: 1.2 })) {
      case "own":
        return random.happens(0.2) ? [other, { browser }] : [{ browser }];
      case "none":
        return random.happens(0.3) ? [other] : [];
      case "forged":
        return [{ text: random.pick(FORGED) }];
      case "old":
        return [{ issued: `K${1 + random.below(4)}` }];
      case "odd":
        return [{ browser, form: random.pick(FORMS) }];
      default:
        return [random.happens(0.5) ? { browser: "alice" } : { text: random.pick(FORGED) }, { browser: "bob" }];
    }
  }

  call(on = this.random.pick([...this.objects, ...this.requests.keys()])) {
    const call = aCall(this.random, this.now);
    if (call.call === "create" || call.call === "cycle_key") {
      call.settle = !this.requests.has(on) || this.random.happens(0.3);
    }
    this.add({ op: "call", on, ...call });
    if (call.call === "set_odd") this.over = true;
    if (call.call === "mutate" && this.random.happens(0.4)) this.add({ op: "call", on, call: "save" });
    if (call.call === "set" && this.random.happens(0.06)) {
      // Reset, and set once more: equal to the session's value, not to the stored one.
      this.add({ op: "call", on, call: "set_modified", value: false });
      this.add({ op: "call", on, ...call });
    }
    if (call.call === "create" && this.random.happens(0.3)) this.add({ op: "call", on, call: "flush" });
    if (call.settle === false) {
      for (let left = this.random.below(3); left > 0 && !this.over; left--) this.add({ op: "call", on, ...aCall(this.random, this.now, true) });
      this.commit(on);
    }
  }

  commit(on = this.random.pick([...this.requests.keys()])) {
    const { random } = this;
    const headers = {};
    if (random.happens(0.3)) headers.Vary = random.pick(VARY);
    if (random.happens(0.3)) headers["Cache-Control"] = random.pick(CACHE);
    const status = random.happens(0.2) ? 200 + random.below(400) : random.pick(STATUSES);
    this.add({ op: "commit", on, browser: this.requests.get(on), status, headers });
    this.requests.delete(on);
  }

  /** Moves the clock forward a little or a lot, sometimes exactly to a deadline, sometimes back. */
  clock() {
    const { random } = this;
    const age = this.settings.cookieAge ?? 1_209_600;
    this.pass(random.pick([age * 50, age * 99, age * 200, age * 300, 1, 500, 999, 1000, 1500, 10_000, 59_000, 60_000, 300_000, 3_600_000, age * 100, age * 1000, age * 1000 - 1, age * 1000 + 1, -1, -1000, -60_000]));
  }

  pass(milliseconds) {
    this.now += milliseconds;
    this.add({ op: "clock", at: this.now });
  }

  exists() {
    this.add({ op: "exists", key: aKey(this.random) });
  }

  delete() {
    this.add({ op: "delete", key: aKey(this.random) });
  }

  fetch() {
    this.add({ op: "fetch", key: aKey(this.random) });
  }

  collide() {
    this.add({ op: "collide" });
  }
}

/** Records that end at different times, and a sweep now and then: Django's database engine is the one that sweeps. */
function sweeping(random) {
  const steps = [];
  let now = START;
  const count = 1 + random.below(6);
  for (let n = 0; n < count; n++) {
    steps.push({ op: "open", as: `s${n}`, key: null });
    steps.push({ op: "call", on: `s${n}`, call: "set", key: "n", value: n });
    steps.push({ op: "call", on: `s${n}`, call: "set_expiry", expiry: { n: 60 * (1 + random.below(5)) } });
    steps.push({ op: "call", on: `s${n}`, call: "save" });
  }
  for (let n = 0; n < 3; n++) {
    now += random.pick([60_000, 60_001, 120_000, 180_001, 240_000, 600_000]);
    steps.push({ op: "clock", at: now }, { op: "clear_expired" });
  }
  return { engine: "db", settings: {}, start: START, steps };
}
