// A program that imports the package, and depends on another one that requires it.

import { createRequire } from "node:module";

const { Instance } = WebAssembly;
let instances = 0;
WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    instances++;
  }
};

const imported = await import("edge-session");
const required = createRequire(import.meta.url)("edge-session");
console.log(instances, imported.KeyError === required.KeyError);
