// The other libraries, for tests outside of this folder.

import { registerHooks } from "node:module";

/** Imports a module of the other libraries. React Router's package imports one that contains types only. */
export async function peer(name) {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "@cloudflare/workers-types" ? { url: "data:text/javascript,", shortCircuit: true } : next(specifier, context),
  });
  try {
    return await import(name);
  } finally {
    hooks.deregister();
  }
}
