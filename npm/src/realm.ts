// Bytes and dates of any realm: jsdom, a `vm` context or an edge sandbox has classes of its own, for which `instanceof` is false. The
// checks use internal slots, which a tag, a name or a prototype cannot fake.

/** Returns the bytes of a buffer or of a view, without a copy; undefined for any other value and for a transferred buffer. */
export function bytesIn(value: unknown): Uint8Array | undefined {
  try {
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    byteLength.call(value as ArrayBuffer);
    return new Uint8Array(value as ArrayBuffer);
  } catch {
    return bytesInShared(value);
  }
}

/** The getter of `ArrayBuffer.prototype.byteLength`. It throws for any value but a buffer. */
const byteLength = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength")!.get!;

/** As `bytesIn`, for a `SharedArrayBuffer`. */
function bytesInShared(value: unknown): Uint8Array | undefined {
  try {
    const { buffer, byteLength } = new DataView(value as ArrayBuffer);
    return new Uint8Array(buffer, 0, byteLength);
  } catch {
    return undefined;
  }
}

/** Returns the milliseconds of a `Date`; undefined for any other value. */
export function millisecondsIn(value: unknown): number | undefined {
  try {
    return Date.prototype.getTime.call(value);
  } catch {
    return undefined;
  }
}
