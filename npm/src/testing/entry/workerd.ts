// Entry point for Workers: the wasm is a module.

import module from "./testing.wasm";
import wasm from "./shared.js";

wasm.initSync({ module });

export * from "./shared.js";
