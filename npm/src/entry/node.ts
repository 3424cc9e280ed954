// Entry point for Node, Bun and Deno: the wasm is in this file, so that a bundle of it needs no other one.

import { Buffer } from "node:buffer";
import base64 from "#core.wasm";
import wasm from "./shared.js";

wasm.initSync({ module: Buffer.from(base64, "base64") });

export * from "./shared.js";
