// One turn of the event loop: what was promised before it has gone on as far as it can when it is over.

// The platform's own, even if a test puts others in their place later.
const { MessageChannel, setTimeout } = globalThis;
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };

export function turn(): Promise<void> {
  return new Promise((resolve) => {
    if (setImmediate) {
      setImmediate(resolve);
    } else if (MessageChannel) {
      const { port1, port2 } = new MessageChannel(); // a browser's `setTimeout` takes 4 ms when it is called over and over
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
