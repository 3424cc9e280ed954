// What contenders and Workers do, for tests: how often they call KV, and how often they set a cookie.

import { namespace } from "./kv.mjs";
import { cookieHeader, request } from "./shell.mjs";
import { Visitor } from "./visit.mjs";

/** A namespace that counts its calls in `calls`. */
function countingNamespace() {
  const kv = namespace();
  const calls = { get: 0, put: 0, delete: 0 };
  const counted = (name) => async (...args) => {
    calls[name] += 1;
    return kv[name](...args);
  };
  return { calls, ...Object.fromEntries(Object.keys(calls).map((name) => [name, counted(name)])) };
}

/** Makes three visits of a mode after the session is filled, and returns the number of puts and of Set-Cookie headers. */
export async function effects(make, mode, bytes = 200) {
  let cookies = 0;
  const kv = countingNamespace();
  const contender = make(kv);
  const counted = (name) => async (...args) => {
    const setCookie = await contender[name](...args);
    if (setCookie) cookies += 1;
    return setCookie;
  };
  const names = ["visit", "read", "anonymous"].filter((name) => contender[name]);
  const visitor = new Visitor({ ...contender, ...Object.fromEntries(names.map((name) => [name, counted(name)])) }, mode, bytes);
  await visitor.arrive();
  const before = kv.calls.put;
  await visitor.visit(3);
  const result = { puts: kv.calls.put - before, cookies };
  await visitor.leave();
  return result;
}

/** Visits a Worker's page three times. Returns the bodies of the responses, and the KV calls of the last visit. */
export async function pagesOf(worker) {
  const kv = countingNamespace();
  const env = { SESSIONS: kv, SESSION_SECRET: "the benchmark's secret, of more than 32 bytes" };
  const bodies = [];
  let before;
  for (let cookie = "consent=yes"; bodies.length < 3; ) {
    before = { ...kv.calls };
    const response = await worker.fetch(request(cookie), env);
    cookie = `consent=yes; ${cookieHeader(response.headers).split(";")[0]}`;
    bodies.push(await response.json());
  }
  return { bodies, calls: Object.fromEntries(Object.entries(kv.calls).map(([name, count]) => [name, count - before[name]])) };
}
