// Bytes and dates of any realm: a test in jsdom, a `vm` context or an edge sandbox has classes of its own, which `instanceof` does
// not know. What they are is asked of the value itself, so that no tag, name or prototype can feign it.

/** The bytes of a buffer, or of a view of one, without a copy; undefined for anything else, and where the buffer was transferred. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  try {
    const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(value) ? value : new DataView(value as ArrayBuffer);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    return undefined;
  }
}

/** The milliseconds of a `Date`; undefined for anything else. */
export function millisecondsIn(value: unknown): number | undefined {
  try {
    return Date.prototype.getTime.call(value);
  } catch {
    return undefined;
  }
}
