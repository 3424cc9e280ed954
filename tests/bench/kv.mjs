// A KV namespace in memory, which all contenders share: asynchronous as KV is, and with a copy where KV has one.
//
// Bytes are copied when they are put and when they are got, since the real namespace hands out a fresh ArrayBuffer each time.
// Text is kept as the string that was put and costs nothing either way, although the real one encodes and decodes it:
// that is in favour of the floor and of the libraries that store text, and against edge-session, which stores bytes.

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
          return typeof value === "string" ? encoder.encode(value).buffer : value.slice(0);
        case "json":
          return JSON.parse(text(value));
        default:
          return text(value);
      }
    },
    async put(key, value) {
      kept.set(key, typeof value === "string" ? value : copied(value));
    },
    async delete(key) {
      kept.delete(key);
    },
  };
}

function text(value) {
  return typeof value === "string" ? value : decoder.decode(value);
}

function copied(value) {
  return value instanceof ArrayBuffer ? value.slice(0) : new Uint8Array(value).slice().buffer;
}
