// The instance of the wasm, and its replacement after a trap.

import { reinitialise, sharedCacheHeaders } from "#core";

/** The number of the current instance. Objects of an earlier instance are lost. */
export let instance = 0;
let trapped = false;

export function isTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError || (error instanceof RangeError && /call stack/.test(error.message));
}

/** Marks the current instance as lost. The stack can be full at this point, so `recover` replaces it before the next session. */
export function abandonInstance(): void {
  instance++;
  trapped = true;
}

/** Replaces an instance that trapped: the state of its memory is undefined. */
export function recover(): void {
  if (!trapped) return;
  trapped = false;
  reinitialise();
  sharedCacheHeaders(); // the call that replaces the instance. Arguments would be written to the old memory, so it has none
}
