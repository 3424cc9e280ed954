// What the entries share: everything but where the wasm comes from. `export *` leaves the default export to them alone.

import init, { initSync } from "#core";

export default { init, initSync };
export * from "./index.js";
