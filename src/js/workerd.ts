// For Workers: the wasm comes as a module, compiled when the Worker was uploaded.

import module from "./edge-session.wasm";
import wasm from "./door.js";

wasm.initSync({ module });

export * from "./door.js";
