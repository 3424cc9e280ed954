// A Worker with the engines whose sessions are exact. The path of a request begins with the engine. It runs in workerd, and in Node with
// `memory`.

const respond = (body, headers) => Response.json(body ?? {}, { headers });

/** Waits as long as the query says, as a slow handler does. Returns the time at which the commit begins. */
async function pause(url) {
  const milliseconds = Number(url.searchParams.get("wait"));
  if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
  return { at: Date.now() };
}

const routes = {
  "GET /session": (session) => respond({ data: Object.fromEntries(session.items()), reason: session.loadReason }),
  async "PUT /session"(session, url) {
    const key = url.searchParams.get("key");
    session.set(key, key);
    return respond(await pause(url));
  },
  /** A login: sets the user, and a value that belongs to the user only. */
  async "POST /login"(session, url) {
    const user = url.searchParams.get("user");
    session.cycleKey();
    session.update({ user, [`private-${user}`]: user });
    return respond(await pause(url));
  },
  /** A login whose session is in the list of its user. */
  async "POST /bind"(session, url) {
    const user = url.searchParams.get("user");
    session.cycleKey();
    session.set("user", user);
    session.bindUser(user, { label: url.searchParams.get("label") ?? undefined });
    return respond(await pause(url));
  },
  "GET /devices": async (session, url, sessions) => respond(await sessions.list(url.searchParams.get("user"), session)),
  "POST /revoke": async (session, url, sessions) => respond(await sessions.revoke(url.searchParams.get("user"), url.searchParams.get("id"))),
  "POST /revoke-others": async (session, url, sessions) => respond(await sessions.revokeOthers(session)),
  "POST /revoke-all": async (session, url, sessions) => respond(await sessions.revokeAll(url.searchParams.get("user"))),
  async "POST /logout"(session, url) {
    await session.flush();
    return respond(await pause(url));
  },
};

/** Returns a Worker for the stores that `storesOf` returns for an environment, by the name of their engine. */
export function exactWorker(withSessions, storesOf) {
  /** Of each engine: its store, its Worker, and the storage keys of the records that this isolate has put. */
  let engines;
  const start = (env) => Object.fromEntries(Object.entries(storesOf(env)).map(([name, store]) => {
    const keys = new Set();
    const noting = { ...store, put: (key, ...rest) => (keys.add(key), store.put(key, ...rest)) };
    const worker = withSessions({ store: noting, secrets: [env.SESSION_SECRET] }, {
      fetch(request, _env, _context, session, sessions) {
        const url = new URL(request.url);
        return routes[`${request.method} /${url.pathname.split("/")[2]}`](session, url, sessions);
      },
    });
    return [name, { store, keys, worker }];
  }));
  return {
    async fetch(request, env, context) {
      const [, engine, path] = new URL(request.url).pathname.split("/");
      engines ??= start(env);
      const { store, keys, worker } = engines[engine];
      if (path !== "stored") return worker.fetch(request, env, context);
      const stored = await Promise.all([...keys].map((key) => store.get(key)));
      return respond({ keys: [...keys].filter((_, n) => stored[n] !== null) });
    },
  };
}
