// This package, through its public API: the signed token, the hashed storage key, bytes in KV.

import { createSessions, kv as kvStore } from "../../../dist/node.js";
import { namespace } from "../kv.mjs";

export default function edgeSession(kv = namespace()) {
  return contenderOn(kvStore(kv));
}

/**
 * The contender on a store. `pause` is the time between a write and the next visit in milliseconds; without it visits follow at
 * once. `options` are more options of the sessions.
 */
export function contenderOn(store, pause, options = {}) {
  let now; // undefined: the real time
  let written;
  const sessions = createSessions({
    store,
    secrets: ["the benchmark's secret, of more than 32 bytes"],
    maxRecordBytes: 262_144, // the default keeps 128 KB out
    absoluteAge: 3_155_760_000, // more than all pauses together
    clock: () => now ?? Date.now(),
    ...options,
  });

  async function page(cookie, handler) {
    const session = await sessions.load(cookie);
    handler(session);
    return setCookie(await sessions.commitHeaders(session, 200));
  }
  return {
    fill(cookie, data) {
      written = Date.now();
      if (pause) now = written;
      return page(cookie, (session) => session.update(data));
    },
    visit(cookie, field, turn) {
      if (pause) now = written += pause;
      return page(cookie, (session) => session.set(field, turn(session.get("user"), session.get(field))));
    },
    read(cookie, field, look) {
      now = pause ? written + pause : (now ?? Date.now()); // stands still, so that the benchmark's duration does not matter
      return page(cookie, (session) => look(session.get("user"), session.get(field)));
    },
    anonymous: (cookie, look) => page(cookie, (session) => look(session.get("user"))),
    login(cookie, user) {
      return page(cookie, (session) => {
        session.cycleKey();
        session.set("user", user);
      });
    },
    async logout(cookie) {
      const session = await sessions.load(cookie);
      await session.flush();
      return setCookie(await sessions.commitHeaders(session, 200));
    },
  };
}

function setCookie(headers) {
  return headers.find(([name]) => name === "Set-Cookie")?.[1];
}
