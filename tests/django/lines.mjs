// The lines that the drivers read and write: JSON, in which -0 stays -0.

/** As `JSON.stringify`, but -0 stays -0, and what is undefined is null: Python has one word for both. */
export function write(value) {
  if (value === undefined || value === null) return "null";
  if (Object.is(value, -0)) return "-0.0";
  if (Array.isArray(value)) return `[${value.map(write).join()}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).map((name) => `${JSON.stringify(name)}:${write(value[name])}`).join()}}`;
}

/** Whether two answers are equal: -0 is not 0, and an object's members have no order. */
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
