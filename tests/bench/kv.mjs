// A KV namespace in memory, which all contenders share. It is asynchronous as KV is, and costs nothing itself: text and bytes
// are kept as they were put and handed out as they are. The real one decodes text and makes an ArrayBuffer of bytes anew,
// which is no library's to choose or to save; none of them changes what it got.

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

/** The buffer of a view, where the view is all of it. */
function bufferOf({ buffer, byteOffset, byteLength }) {
  return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
}
