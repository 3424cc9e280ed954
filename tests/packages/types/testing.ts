// What TypeScript accepts and what it refuses of `edge-session/testing`, in strict mode, as a user's program.

import { createSessions, kv, type KvNamespace, withSessions } from "edge-session";
import { type Fault, KvModel, type KvModelNamespace, type KvModelOptions, type Operation } from "edge-session/testing";

/** Compiles where both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

const options: KvModelOptions = { seed: 1, start: new Date(), hostile: true, latency: [5, 80], cacheTtl: undefined };
const model = new KvModel(options);
const here: KvModelNamespace = model.at("AMS");
const namespace: KvNamespace = here;
createSessions({ store: kv(namespace), secrets: [], clock: () => model.now() });

const worker = withSessions((env: { SESSIONS: KvNamespace }) => ({ store: kv(env.SESSIONS), secrets: [] }), {
  fetch: () => new Response(),
});

export async function calls(request: Request): Promise<void> {
  await worker.fetch(request, { SESSIONS: here.invocation() }, undefined);
  const text = await here.get("key");
  same<typeof text, string | null>(true);
  const cached = await here.get("key", { cacheTtl: 60 });
  same<typeof cached, string | null>(true);
  const buffer = await here.get("key", { type: "arrayBuffer", cacheTtl: 60 });
  same<typeof buffer, ArrayBuffer | null>(true);
  const json = await here.get("key", "json");
  same<typeof json, unknown>(true);
  const cart = await here.get<string[]>("key", "json");
  same<typeof cart, string[] | null>(true);
  const { value, metadata } = await here.getWithMetadata<string[], { by: string }>("key", "json");
  same<typeof value, string[] | null>(true);
  same<typeof metadata, { by: string } | null>(true);
  await here.put("key", new Uint8Array(), { expirationTtl: 60, metadata: { by: "me" } });
  const { keys, list_complete, cursor } = await here.list({ prefix: "k", cursor: null, limit: 10 });
  same<typeof list_complete, boolean>(true);
  same<typeof cursor, string | undefined>(true);
  for (const { name } of keys) await here.delete(name);
  await model.sleep(1000);
  for (const [key, bytes] of model.entries()) same<[typeof key, typeof bytes], [string, Uint8Array]>(true);
  const puts: number = model.counts().puts;
  model.changeOptions({ failingPuts: puts > 1 ? 0.5 : 0 });
  // @ts-expect-error: not a form of a value
  await here.get("key", "stream");
  // @ts-expect-error: a number is no value
  await here.put("key", 1);
}

const faults: Fault[] = [{ status: 429 }, "hang", { late: 1000 }, { replaced: new Uint8Array() }, { ofKey: "other" }];
for (const fault of faults) model.failNext("get", fault);
model.onOperation(({ kind, at }: Operation) => (kind === "list" && at > 0 ? "emptyPage" : undefined));
model.onOperation(undefined);
// @ts-expect-error: no such operation
model.failNext("head", "hang");
// @ts-expect-error: no such fault
model.failNext("get", { code: 429 });
// @ts-expect-error: not while it runs
model.changeOptions({ seed: 2 });
// @ts-expect-error: a slip of the pen
new KvModel({ sead: 1 });
