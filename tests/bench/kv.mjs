// A KV namespace in memory, which all contenders share. It is asynchronous as KV is, and costs nothing itself: text and bytes
// are stored and returned without a copy. The real one decodes text and creates a new ArrayBuffer for bytes,
// for every library; none of them changes the returned value.

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
          return typeof value === "string" ? encoder.encode(value).buffer : value;
        case "json":
          return JSON.parse(text(value));
        default:
          return text(value);
      }
    },
    async put(key, value) {
      kept.set(key, typeof value === "string" || value instanceof ArrayBuffer ? value : bufferOf(value));
    },
    async delete(key) {
      kept.delete(key);
    },
  };
}

function text(value) {
  return typeof value === "string" ? value : decoder.decode(value);
}

/** The buffer of a view that covers all of it. */
function bufferOf({ buffer, byteOffset, byteLength }) {
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
}
