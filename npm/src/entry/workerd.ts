// Entry point for Workers: the wasm is a module, which was compiled when the Worker was uploaded.

import module from "./edge-session.wasm";
import wasm from "./shared.js";

wasm.initSync({ module });

export * from "./shared.js";
