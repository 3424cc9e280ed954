// Random calls on one session, with random keys, values and expiries.

const KEYS = ["a", "b", "cart", "10", "2", "__proto__", "constructor", "é☃", "", "_hidden", "a b\n\"\\"];

const NUMBERS = [0, -0, 1, -7, 1.5, -2.25e-7, 0.1, 2 ** 53 - 1, -(2 ** 53 - 1), 1e21, 5e-324, 1.7976931348623157e308];

const TEXTS = ["", "x", "é☃😀", "\u0000\u001f\u007f\u2028\u2029", "\"\\/\b\f\n\r\t", "1234567890123456789", "x".repeat(300)];

/** The calls beyond the session's own dictionary, with their weights. */
const WEIGHTS = {
  get: 3, set: 5, item: 1, has: 1.5, remove: 1, map_delete: 0.7, pop: 1.5, setdefault: 1.2, update: 1.2, keys: 0.8, values: 0.5,
  items: 1.5, mutate: 1.6, set_modified: 0.8, clear: 0.6, set_test_cookie: 0.6, test_cookie_worked: 0.6, delete_test_cookie: 0.6,
  set_expiry: 2, get_expiry_age: 2.2, get_expiry_date: 1.6, get_expire_at_browser_close: 0.9, encode_decode: 0.3,
};

const AT_THE_STORE = { save: 2, create: 0.5, cycle_key: 0.8, flush: 0.6, delete_own: 0.3, set_odd: 0.12 };

/** A key of the store: one that an earlier answer named, or a text. */
export function aKey(random) {
  if (random.happens(0.85)) return { label: `K${1 + random.below(4)}` };
  return { text: random.pick(["", "1", "1234567", "0123456789abcdefghijklmnopqrstuv"]) };
}

export function aCall(random, now, inMemory = false) {
  const call = random.weighted(inMemory ? WEIGHTS : { ...WEIGHTS, ...AT_THE_STORE });
  return { call, ...ARGUMENTS[call]?.(random, now) };
}

const ARGUMENTS = {
  item: keyed,
  has: keyed,
  remove: keyed,
  map_delete: keyed,
  get: withDefault,
  pop: withDefault,
  set: (random) => (random.happens(0.25) ? { key: "cart", value: random.pick([[], ["apple"], {}, { apple: 1 }]) } : { key: key(random), value: value(random) }),
  set_odd: (random) => ({ key: "odd", kind: random.pick(["nan", "infinity", "big", "huge", "bytes", "date", "set", "surrogate", "function"]), path: random.pick([[], [0], ["in"], [2, "at", 1]]) }),
  setdefault: (random) => ({ key: key(random), value: value(random) }),
  update: (random) => ({ pairs: pairs(random) }),
  encode_decode: (random) => ({ pairs: someData(random) }),
  mutate: (random) => ({ key: random.happens(0.7) ? "cart" : key(random), mark: random.happens(0.7) }),
  set_modified: (random) => ({ value: random.happens(0.6) }),
  set_expiry: (random, now) => ({ expiry: random.happens(0.15) ? null : expiry(random, now) }),
  get_expiry_age: options,
  get_expiry_date: options,
};

function key(random) {
  return random.happens(0.7) ? random.pick(KEYS.slice(0, 3)) : random.pick(KEYS);
}

function keyed(random) {
  return { key: key(random) };
}

function withDefault(random) {
  return { key: key(random), ...(random.happens(0.5) ? { default: random.pick([null, 7, "d", []]) } : {}) };
}

function pairs(random, most = 3) {
  return Array.from({ length: random.below(most + 1) }, () => [key(random), value(random)]);
}

/** Data with keys that a plain object keeps in their order. */
export function someData(random, most = 3) {
  return pairs(random, most).filter(([name]) => !/^\d/.test(name));
}

function value(random, depth = 0) {
  switch (random.weighted({ word: 2, number: 3, text: 2, list: depth < 3 ? 2 : 0, object: depth < 3 ? 1.5 : 0 })) {
    case "word":
      return random.pick([null, true, false]);
    case "number":
      return random.happens(0.7) ? random.pick(NUMBERS) : double(random);
    case "text":
      return random.pick(TEXTS);
    case "list":
      return Array.from({ length: random.below(4) }, () => value(random, depth + 1));
    default:
      return Object.fromEntries(Array.from({ length: random.below(3) }, () => [random.pick(KEYS), value(random, depth + 1)]));
  }
}

/** A number of any size whose digits fill a double. It always has a fraction, because JavaScript does not distinguish 1 from 1.0. */
function double(random) {
  const number = (random.next() - 0.5) * 10 ** (random.below(600) - 300);
  return Number.isInteger(number) ? 0.5 : number;
}

const OFFSETS = [[0, "+00:00"], [120, "+02:00"], [-270, "-04:30"], [-1, "-00:01"], [840, "+14:00"]];

/** As Python's `isoformat` writes it: microseconds where there are some, and the offset. */
function iso(random, micros, zones = OFFSETS) {
  const [minutes, offset] = random.pick(zones);
  const local = micros + minutes * 60_000_000;
  const whole = Math.floor(local / 1e6);
  const fraction = local - whole * 1e6;
  const text = new Date(whole * 1000).toISOString().slice(0, 19);
  return text + (fraction ? `.${String(fraction).padStart(6, "0")}` : "") + offset;
}

function near(random, now) {
  const seconds = random.pick([-100_000, -1, 0, 1, 2, 60, 100, 3600, 86_400, 50_000_000]);
  return (now + seconds * 1000) * 1000 + random.pick([0, 0, 1, -1, 250, 500_000, 999_999, -500_001]);
}

function expiry(random, now) {
  switch (random.weighted({ n: 5, at: 3, in: 2 })) {
    case "n":
      return { n: random.pick([0, 0, 1, 2, 10, 60, 100, 300, -1, -5, 10 ** 7, 5 * 10 ** 7, 10 ** 10, 10 ** 12, -(10 ** 10), 2 ** 53 - 1]) };
    case "at":
      return { at: iso(random, near(random, now)) };
    default:
      return { in: random.pick([0, 1, -1, 250, 1_500_000, 60_000_000, 3_600_000_000, -60_000_000, 86_400_000_000]) };
  }
}

/** `modification` and `expiry` in every combination. Django accepts no duration here. */
function options(random, now) {
  const options = {};
  if (random.happens(0.4)) options.modification = iso(random, near(random, now), OFFSETS.slice(0, 1));
  if (random.happens(0.4)) {
    const own = random.happens(0.15) ? null : expiry(random, now);
    options.expiry = own !== null && "in" in own ? { n: 0 } : own;
  }
  return { options };
}
