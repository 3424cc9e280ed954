// For Workers: the wasm comes as a module, compiled when the Worker was uploaded.

import module from "./edge-session.wasm";
import wasm from "./shared.js";

wasm.initSync({ module });

export * from "./shared.js";
