// No library at all, for a request without a session cookie: it looks for the cookie.

import { namespace } from "../kv.mjs";
import floor, { find } from "./floor.mjs";

export default function floorAnonymous(kv = namespace()) {
  return {
    ...floor(kv),
    async anonymous(cookie, look) {
      const id = find(cookie);
      look(id && JSON.parse(await kv.get(id, "text")).user);
    },
  };
}
