// What the entries share: everything but where the wasm comes from. `export *` leaves the default export to them alone.

import { initSync } from "#core";

export default { initSync };
export * from "../index.js";
