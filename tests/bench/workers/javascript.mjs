// A Worker written by hand, without a library: an opaque id in the cookie, JSON in KV. It makes the same KV calls as
// edge-session, which reads two keys when it loads, and writes one.

import { find } from "../contenders/floor.mjs";

const age = 1_209_600;

export default {
  async fetch(request, { SESSIONS }) {
    const brought = find(request.headers.get("Cookie") ?? "");
    const id = brought ?? crypto.randomUUID();
    const keys = brought ? [id, `${id}:ended`] : [];
    const [text, ended] = await Promise.all(keys.map((key) => SESSIONS.get(key, { type: "text", cacheTtl: 30 })));
    const session = text && !ended ? JSON.parse(text) : {};
    session.visits = (session.visits ?? 0) + 1;
    await SESSIONS.put(id, JSON.stringify(session), { expirationTtl: age });
    return Response.json({ visits: session.visits }, {
      headers: { "Set-Cookie": `sid=${id}; Max-Age=${age}; Path=/; Secure; HttpOnly; SameSite=Lax` },
    });
  },
};
