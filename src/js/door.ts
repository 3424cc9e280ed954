// What the entries share: everything but where the wasm comes from.

export { default as init, initSync } from "#core";
export * from "./index.js";
