// Entry point for browsers and bundlers: fetches the wasm.

import wasm from "./shared.js";

const response = await fetch(new URL("./edge-session.wasm", import.meta.url));
if (!response.ok) throw new Error(`edge-session.wasm could not be fetched: ${response.status}`);
wasm.initSync({ module: await WebAssembly.compile(await response.arrayBuffer()) });

export * from "./shared.js";
