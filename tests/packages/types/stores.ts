// What TypeScript accepts and what it refuses of the stores, in strict mode, as a user's program.

import { createSessions, d1, type D1Database, durableObjects, memory, type SessionObjectNamespace, type Store } from "edge-session";
import { SessionObject } from "edge-session/durable-object";
import { storeContract } from "edge-session/testing";
import { fromUnstorage, type UnstorageStorage } from "edge-session/unstorage";

interface Env {
  SESSION_OBJECTS: SessionObjectNamespace;
  SESSION_DB: D1Database;
}

export function stores(env: Env, storage: UnstorageStorage): Store[] {
  // @ts-expect-error: a slip of the pen
  durableObjects(env.SESSION_OBJECTS, { juristiction: "eu" });
  // @ts-expect-error: a database is no namespace
  durableObjects(env.SESSION_DB);
  // @ts-expect-error: a namespace is no database
  d1(env.SESSION_OBJECTS);
  // @ts-expect-error: not a number
  memory({ maxRecords: "10" });
  const hinted = durableObjects(env.SESSION_OBJECTS, { jurisdiction: undefined, locationHint: "weur" });
  return [hinted, d1(env.SESSION_DB), memory({ maxRecords: 10 }), fromUnstorage(storage, { expiresRecords: true })];
}

export async function contract(store: Store): Promise<string[]> {
  const tests = storeContract(store, { lists: false, settle: async () => {}, failing: undefined });
  for (const { run } of tests) await run();
  return tests.map(({ name }) => name);
}

export async function calls(object: SessionObject): Promise<boolean> {
  const record: ArrayBuffer | null = object.read();
  await object.remove();
  return record === null && object.write(new Uint8Array(), 0, 1, undefined);
}

createSessions({ store: memory(), secrets: [] });
