// A Worker written by hand, without a library: an opaque id in the cookie, JSON in KV. It makes the same KV calls as
// edge-session, which reads two keys when it loads, and reads both again before it writes one.

import { find } from "../contenders/floor.mjs";

const age = 1_209_600;

export default {
  async fetch(request, { SESSIONS }) {
    const brought = find(request.headers.get("Cookie") ?? "");
    const id = brought ?? crypto.randomUUID();
    const read = () => Promise.all([id, `${id}:ended`].map((key) => SESSIONS.get(key, { type: "text", cacheTtl: 30 })));
    const [text, ended] = brought ? await read() : [];
    const session = text && !ended ? JSON.parse(text) : {};
    session.visits = (session.visits ?? 0) + 1;
    if (brought) await read();
    await SESSIONS.put(id, JSON.stringify(session), { expirationTtl: age });
    return Response.json({ visits: session.visits }, {
      headers: { "Set-Cookie": `sid=${id}; Max-Age=${age}; Path=/; Secure; HttpOnly; SameSite=Lax` },
    });
  },
};
