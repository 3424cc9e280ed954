// What the entries of `edge-session/testing` share: everything but where the wasm comes from.

import { initSync } from "#model";

export default { initSync };
export * from "../index.js";
