// One turn of the event loop.

// The platform's own functions, even if a test replaces them later.
const { MessageChannel, setTimeout } = globalThis;
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };

/** Resolves in the next macrotask, when all pending microtasks have run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate) {
      setImmediate(resolve);
    } else if (MessageChannel) {
      const { port1, port2 } = new MessageChannel(); // the `setTimeout` of browsers takes 4 ms when calls are nested
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(undefined);
    } else {
      setTimeout(resolve, 0);
    }
  });
}
