// The Worker of `bench:engines`: each engine of the package, React Router's KV storage and Astro's sessions, on the platform's own KV,
// Durable Objects and D1. `/count?engine=kv&bytes=200` responds with the operations of each kind of request, as the bindings saw them;
// `/?engine=kv&mode=small&bytes=200&visits=10` makes visits.

import { SessionObject } from "../../../dist/durable-object/index.js";
import { cookieStore, d1, durableObjects, kv, memory } from "../../../dist/node.js";
import { answering } from "../answer.mjs";
import astro from "../contenders/astro.mjs";
import { contenderOn } from "../contenders/edge-session.mjs";
import reactRouter from "../contenders/react-router.mjs";
import { data, modes } from "../visit.mjs";

export { SessionObject };

/** The operations since the last `taken`, and the bytes of the last value that was written. */
let counts = {};
let written = 0;

function count(operation, number = 1) {
  counts[operation] = (counts[operation] ?? 0) + number;
}

function taken() {
  const result = counts;
  counts = {};
  return result;
}

/** A SessionObject that counts the rows which the platform bills: each get and put of a value, each setAlarm, each deleted value. */
export class CountedObject extends SessionObject {
  constructor(state, env) {
    super(state, env);
    const { storage } = state;
    const counted = {
      kv: {
        get(key) {
          count("rowsRead");
          return storage.kv.get(key);
        },
        put(key, value) {
          count("rowsWritten");
          storage.kv.put(key, value);
        },
      },
      setAlarm(time) {
        count("rowsWritten");
        return storage.setAlarm(time);
      },
      deleteAlarm: () => storage.deleteAlarm(),
      deleteAll() {
        count("rowsWritten", [...storage.kv.list()].length);
        return storage.deleteAll();
      },
    };
    Object.defineProperty(this, "ctx", { value: { storage: counted } });
  }
}

const encoder = new TextEncoder();
const lengthOf = (value) => (typeof value === "string" ? encoder.encode(value).length : value.byteLength);

/** A KV namespace, or a store, that counts its reads, writes and deletions. */
function countedCalls(target) {
  const call = (operation, name) => (...args) => {
    if (operation === "writes") written = lengthOf(args[1]);
    count(operation);
    return target[name](...args);
  };
  return Object.assign(Object.create(target), {
    get: call("reads", "get"),
    getWithMetadata: call("reads", "getWithMetadata"),
    put: call("writes", "put"),
    delete: call("deletes", "delete"),
    list: call("lists", "list"),
  });
}

function countedObjects(namespace) {
  return {
    idFromName: (name) => namespace.idFromName(name),
    get(id) {
      const object = namespace.get(id);
      const call = (name) => (...args) => {
        if (name === "write") written = lengthOf(args[0]);
        count("requests");
        return object[name](...args);
      };
      return { read: call("read"), write: call("write"), remove: call("remove") };
    },
  };
}

function countedDatabase(database) {
  return {
    withSession(constraint) {
      const session = database.withSession(constraint);
      return {
        prepare: (query) => ({
          bind: (...values) => ({
            async run() {
              const [value] = values.filter((value) => typeof value === "object");
              if (value) written = lengthOf(value);
              const result = await session.prepare(query).bind(...values).run();
              count("statements");
              count("rowsRead", result.meta.rows_read);
              count("rowsWritten", result.meta.rows_written);
              return result;
            },
          }),
        }),
      };
    },
  };
}

/** The stores of the engines, from the bindings or from those that count. */
const stores = {
  kv: (env, counted) => kv(counted ? countedCalls(env.SESSIONS) : env.SESSIONS),
  durable_object: (env, counted) => durableObjects(counted ? countedObjects(env.COUNTED_OBJECTS) : env.SESSION_OBJECTS),
  d1: (env, counted) => d1(counted ? countedDatabase(env.SESSION_DB) : env.SESSION_DB),
  memory: (env, counted) => (counted ? countedCalls(memory()) : memory()),
  cookie: () => cookieStore(),
};

const peers = { "react-router": reactRouter, astro };

const cookieOf = (setCookie) => setCookie.slice(0, setCookie.indexOf(";"));
const ignore = () => {};

/** The contender of an engine; and the request that reads and moves the expiry, if the library has one. */
function contenderOf(engine, env, counted) {
  if (peers[engine]) {
    const contender = peers[engine](counted ? countedCalls(env.SESSIONS) : env.SESSIONS);
    return { contender, renew: contender.renew };
  }
  const store = stores[engine](env, counted);
  // In a deployed Worker the clock advances with I/O only. Here it ticks, and after a tick a save reads again.
  const began = Date.now();
  const now = counted ? () => began : Date.now;
  const later = () => now() + 2 * 86_400_000; // a renewal writes if it moves the deadline by a tenth of the session's 14 days
  const renewing = contenderOn(store, undefined, { saveEveryRequest: true, clock: later });
  return { contender: contenderOn(store, undefined, { clock: now }), renew: (cookie) => renewing.read(cookie, "visits", ignore) };
}

/** The operations of each kind of request, the bytes of a save, and those of the cookie after ten saves. */
async function counted(engine, env, bytes) {
  const { contender, renew } = contenderOf(engine, env, true);
  const operations = {};
  let cookie = "";
  written = 0;
  async function request(kind, visit) {
    taken();
    const setCookie = await visit(cookie);
    if (setCookie) cookie = cookieOf(setCookie);
    operations[kind] = taken();
  }
  await request("anonymous", (cookie) => contender.anonymous(cookie, ignore));
  await request("create", (cookie) => contender.fill(cookie, data(bytes)));
  await request("read", (cookie) => contender.read(cookie, "visits", ignore));
  const next = (_user, visits) => modes.small.next(visits);
  for (let n = 0; n < 10; n++) await request("save", (cookie) => contender.visit(cookie, "visits", next));
  const [savedBytes, cookieBytes] = [written, cookie.length];
  if (renew) await request("renew", renew);
  await request("login", (cookie) => contender.login(cookie, { id: 1, role: "editor" }));
  await request("logout", (cookie) => contender.logout(cookie));
  return { engine, bytes, operations, savedBytes, cookieBytes };
}

const answers = new Map();

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const engine = searchParams.get("engine");
    if (pathname === "/count") return Response.json(await counted(engine, env, Number(searchParams.get("bytes"))));
    if (!answers.has(engine)) answers.set(engine, answering(() => contenderOf(engine, env, false).contender));
    const [status, text] = await answers.get(engine)(request.url);
    return new Response(text, { status });
  },
};
