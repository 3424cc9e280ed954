// The lines that the drivers read and write: JSON that preserves -0.

/** Like `JSON.stringify`, but preserves -0, and writes undefined as null, since Python has one value for both. */
export function write(value) {
  if (value === undefined || value === null) return "null";
  if (Object.is(value, -0)) return "-0.0";
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).map((name) => `${JSON.stringify(name)}:${write(value[name])}`).join()}}`;
}

/** Returns whether two answers are equal: -0 differs from 0, and the order of an object's members is ignored. */
export function same(one, other) {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return Object.is(one, other);
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const names = Object.keys(one);
  if (names.length !== Object.keys(other).length) return false;
  return names.every((name) => Object.hasOwn(other, name) && same(one[name], other[name]));
}

/** The lines of a stream. Node's own `readline` ends them at U+2028 as well, which JSON need not escape. */
export async function* linesOf(stream) {
  let left = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) {
    const lines = (left + chunk).split("\n");
    left = lines.pop();
    yield* lines;
  }
}
