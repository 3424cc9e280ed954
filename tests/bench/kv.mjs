// A KV namespace in memory, which all contenders share: asynchronous as KV is, and with a copy where KV has one.
//
// Bytes that are got come as a fresh ArrayBuffer, as from the real namespace. Bytes that are put are copied into memory that
// the namespace already has, as the real one copies them to its connection: no new ArrayBuffer is made for them. Text is kept
// as the string that was put and costs nothing either way, although the real one encodes and decodes it. That favours the
// floor and the libraries that store text over edge-session, which stores bytes.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function namespace() {
  const kept = new Map();
  return {
    async get(key, options) {
      const value = kept.get(key);
      if (value === undefined) return null;
      switch (typeof options === "string" ? options : options?.type ?? "text") {
        case "arrayBuffer":
          return typeof value === "string" ? encoder.encode(value).buffer : value.buffer.slice(0, value.length);
        case "json":
          return JSON.parse(text(value));
        default:
          return text(value);
      }
    },
    async put(key, value) {
      kept.set(key, typeof value === "string" ? value : copied(value, kept.get(key)));
    },
    async delete(key) {
      kept.delete(key);
    },
  };
}

function text(value) {
  return typeof value === "string" ? value : decoder.decode(value);
}

/** The bytes in the memory of what was there before, if they fit. */
function copied(value, before) {
  const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  if (!(before instanceof Uint8Array) || before.buffer.byteLength < bytes.length) return bytes.slice();
  const kept = new Uint8Array(before.buffer, 0, bytes.length);
  kept.set(bytes);
  return kept;
}
