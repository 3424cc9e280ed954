// No library at all: an opaque random id in the cookie, the whole session through JSON.parse and JSON.stringify.

import { namespace } from "../kv.mjs";

const name = "sid";
const start = `${name}=`;
const age = 1_209_600;

export default function floor(kv = namespace()) {
  async function save(id, session) {
    await kv.put(id, JSON.stringify(session), { expirationTtl: age });
    return `${name}=${id}; Max-Age=${age}; Path=/; Secure; HttpOnly; SameSite=Lax`;
  }

  return {
    async fill(_cookie, data) {
      return save(crypto.randomUUID(), data);
    },
    async visit(cookie, field, turn) {
      const id = find(cookie);
      const session = JSON.parse(await kv.get(id, "text"));
      session[field] = turn(session.user, session[field]);
      return save(id, session);
    },
    async read(cookie, field, look) {
      const session = JSON.parse(await kv.get(find(cookie), "text"));
      look(session.user, session[field]);
    },
  };
}

/** Returns the id in a Cookie header, or undefined. */
export function find(cookie) {
  for (let at = 0; at < cookie.length; ) {
    let end = cookie.indexOf(";", at);
    if (end < 0) end = cookie.length;
    while (cookie[at] === " ") at++;
    if (cookie.startsWith(start, at)) return cookie.slice(at + start.length, end);
    at = end + 1;
  }
}
