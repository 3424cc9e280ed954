// The common part of the entry points: everything except the loading of the wasm. `export *` does not pass the default export on.

import { initSync } from "#core";

export default { initSync };
export * from "../index.js";
