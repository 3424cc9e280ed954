// For browsers and bundlers: the wasm is fetched.

import { init } from "./door.js";

await init({ module_or_path: new URL("./edge-session.wasm", import.meta.url) });

export * from "./door.js";
