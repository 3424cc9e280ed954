// For browsers and bundlers: the wasm is fetched.

import wasm from "./door.js";

await wasm.init({ module_or_path: new URL("./edge-session.wasm", import.meta.url) });

export * from "./door.js";
