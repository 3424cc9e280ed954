// Entry point for browsers and bundlers: fetches the wasm.

import wasm from "./shared.js";

const response = await fetch(new URL("./testing.wasm", import.meta.url));
if (!response.ok) throw new Error(`testing.wasm could not be fetched: ${response.status}`);
wasm.initSync({ module: await WebAssembly.compile(await response.arrayBuffer()) });

export * from "./shared.js";
