// The options of the sessions of the projects in workerd. They are read when the sessions are created: a build has no bindings.

import { env } from "cloudflare:workers";
import { optionsOf } from "./bindings.mjs";

export const options = {
  get store() {
    return optionsOf(env).store;
  },
  get secrets() {
    return optionsOf(env).secrets;
  },
};
