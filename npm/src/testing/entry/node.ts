// Entry point for Node: reads the wasm from a file beside this one.

import { readFileSync } from "node:fs";
import wasm from "./shared.js";

wasm.initSync({ module: readFileSync(new URL("./testing.wasm", import.meta.url)) });

export * from "./shared.js";
