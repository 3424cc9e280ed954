// The other libraries, for tests that are not in this folder.

import { registerHooks } from "node:module";

/** Imports a module of the other libraries. React Router's package imports one that holds nothing but types. */
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
