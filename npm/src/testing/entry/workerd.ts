// For Workers: the wasm comes as a module.

import module from "./testing.wasm";
import wasm from "./shared.js";

wasm.initSync({ module });

export * from "./shared.js";
