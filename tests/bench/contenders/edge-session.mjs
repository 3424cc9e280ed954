// This package, through its public API: the signed token, the hashed storage key, bytes in KV.

import { createSessions, kv } from "../../../dist/node.js";
import { namespace } from "../kv.mjs";

export default function edgeSession() {
  const sessions = createSessions({
    store: kv(namespace()),
    secrets: ["the benchmark's secret, of more than 32 bytes"],
    maxRecordBytes: 262_144, // the default keeps 128 KB out
  });
  return {
    async fill(cookie, data) {
      const session = await sessions.load(cookie);
      session.update(data);
      return setCookie(await sessions.commitHeaders(session, 200));
    },
    async visit(cookie, field, turn) {
      const session = await sessions.load(cookie);
      session.set(field, turn(session.get("user"), session.get(field)));
      return setCookie(await sessions.commitHeaders(session, 200));
    },
  };
}

function setCookie(headers) {
  return headers.find(([name]) => name === "Set-Cookie")?.[1];
}
