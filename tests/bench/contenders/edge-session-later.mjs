// This package with nothing written for 160 seconds before each visit: longer than the cookie carries what was written.

import { kv as kvStore } from "../../../dist/node.js";
import { namespace } from "../kv.mjs";
import { contenderOn } from "./edge-session.mjs";

export default function edgeSessionLater(kv = namespace()) {
  return contenderOn(kvStore(kv), 160_000);
}
