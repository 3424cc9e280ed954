// The entry module of a Rust Worker: one method for each event that the crate handles, and a new WebAssembly instance after a panic.
// scripts/build.mjs bundles it with the JavaScript that wasm-bindgen generates, `./index.js`.

import { WorkerEntrypoint } from "cloudflare:workers";
import * as crate from "./index.js";

// The class that `DurableObjects` of the crate calls. scripts/build.mjs resolves it.
export { SessionObject } from "edge-session/durable-object";

/** The crate `worker` shares it; its panic hook sets `criticalError`. */
const state = crate.__worker_init_state();

/**
 * Replaces an instance that has trapped, since its memory may be inconsistent. Requests in flight on it fail. wasm-bindgen also replaces
 * it, at the next call; if that call belongs to such a request, it runs with addresses of the old memory and can damage the new one.
 */
function recover() {
  if (!state.criticalError) return;
  console.log("The WebAssembly instance has trapped. Starting a new one.");
  crate.__wbg_reset_state();
  state.criticalError = false;
}

function observe(error) {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
}

// A trap in the continuation of an event, after its handler has returned a promise.
addEventListener("error", ({ error }) => observe(error));

export default class Entrypoint extends WorkerEntrypoint {}

/** Adds the method for an event. Any other method could be called by another Worker, through a service binding. */
function handle(name, handler) {
  Entrypoint.prototype[name] = function (event) {
    recover();
    try {
      return handler(event, this.env, this.ctx);
    } catch (error) {
      observe(error);
      throw error;
    }
  };
}

if (crate.fetch) handle("fetch", crate.fetch);
if (crate.scheduled) handle("scheduled", crate.scheduled);
