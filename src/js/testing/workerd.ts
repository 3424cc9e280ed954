// For Workers: the wasm comes as a module.

import module from "./testing.wasm";
import wasm from "./door.js";

wasm.initSync({ module });

export * from "./door.js";
