// For Workers: the wasm comes as a module, compiled when the Worker was uploaded.

import module from "./edge-session.wasm";
import { initSync } from "./door.js";

initSync({ module });

export * from "./door.js";
