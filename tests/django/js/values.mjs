// Converts between the lines of the protocol and JavaScript's values.

const ODD = {
  nan: () => NaN,
  infinity: () => Infinity,
  big: () => 2n ** 53n + 1n,
  huge: () => 10n ** 400n,
  bytes: () => new Uint8Array([98, 121]),
  date: () => new Date(Date.UTC(2030, 0, 1)),
  set: () => new Set([1]),
  surrogate: () => "\ud800",
  function: () => () => 1,
};

/** An odd value inside of lists and objects, as `path` says: a number for a list, a text for an object. */
export function odd(kind, path) {
  return path.reduceRight((value, step) => {
    return typeof step === "number" ? [...Array(step).fill(0), value] : { [step]: value };
  }, ODD[kind]());
}

/** A date is passed as a `Date` if milliseconds can represent it, else as text. */
function date(text) {
  return /\.\d{3}000|^[^.]*$/.test(text) && text.endsWith("+00:00") ? new Date(text.replace(/000\+/, "+")) : text;
}

export function expiry(given) {
  if (given === null) return null;
  if ("n" in given) return given.n;
  if ("in" in given) return { seconds: given.in / 1e6 };
  return date(given.at);
}

export function options({ modification, expiry: own }) {
  return {
    ...(modification === undefined ? {} : { modification: date(modification) }),
    ...(own === undefined ? {} : { expiry: expiry(own) }),
  };
}
