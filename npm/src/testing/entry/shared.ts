// The common part of the entry points of `edge-session/testing`: everything except the loading of the wasm.

import { initSync } from "#model";

export default { initSync };
export * from "../index.js";
