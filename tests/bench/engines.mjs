// Measures the engines, and the sessions of React Router and Astro on KV, in workerd with the platform's local KV, Durable Objects and D1:
// the operations of each kind of request, bytes, the time of a load and a save, and what a day of a million requests costs.
// `npm run bench:engines -- --help` lists the options.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPackage } from "../../scripts/package.mjs";
import { aside, say, script, Stop } from "../../scripts/print.mjs";
import { read, root } from "../../scripts/project.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";
import { serve, succeed } from "../packages/installed.mjs";
import { clocks } from "./clock.mjs";
import { measure, median } from "./measure.mjs";
import { optionsOf } from "./options.mjs";
import { table } from "./report.mjs";
import { bundleForWorkerd } from "./runtimes.mjs";

/**
 * Public prices of the Workers Paid plan, in dollars per million, as of August 2026, beyond what the plan includes. Requests of the
 * Worker itself are left out: they are the same for all. An object is billed for 128 MB while it handles a request.
 */
export const prices = {
  date: "2026-08",
  kv: {
    page: "https://developers.cloudflare.com/kv/platform/pricing/",
    perMillion: { reads: 0.5, writes: 5, deletes: 5, lists: 5 },
  },
  durable_object: {
    page: "https://developers.cloudflare.com/durable-objects/platform/pricing/",
    perMillion: { requests: 0.15, rowsRead: 0.001, rowsWritten: 1, gigabyteSeconds: 12.5 },
  },
  d1: {
    page: "https://developers.cloudflare.com/d1/platform/pricing/",
    perMillion: { rowsRead: 0.001, rowsWritten: 1 },
  },
};

/** An assumption, since no local run can tell it: how long a call keeps its object active. */
const activeSeconds = 0.02;
const gigabytes = 0.128;

/** What is measured. `prices` names the prices that apply, `fits` says which sizes are possible. */
export const engines = [
  { name: "kv", title: "kv", prices: "kv" },
  { name: "durable_object", title: "durable_object", prices: "durable_object" },
  { name: "d1", title: "d1", prices: "d1" },
  { name: "memory", title: "memory" },
  { name: "cookie", title: "cookie", fits: ({ bytes }) => bytes < 2_800 },
  { name: "react-router", title: "React Router's KV storage", prices: "kv" },
  { name: "astro", title: "Astro's sessions on KV", prices: "kv" },
];

/** The kinds of requests. */
export const kinds = {
  anonymous: "has no session cookie",
  create: "creates a session",
  read: "reads",
  save: "saves one small key",
  renew: "reads, and moves the expiry",
  login: "logs in",
  logout: "logs out",
};

/**
 * A day's requests. With renewal, each request that reads moves the expiry. That is the most: edge-session writes only if it moves the
 * expiry by a tenth of the session's life.
 */
const day = { anonymous: 900_000, read: 90_000, save: 10_000 };

const names = {
  reads: ["read", "reads"],
  writes: ["put", "puts"],
  deletes: ["delete", "deletes"],
  lists: ["list", "lists"],
  requests: ["request", "requests"],
  statements: ["statement", "statements"],
  rowsRead: ["row read", "rows read"],
  rowsWritten: ["row written", "rows written"],
};

const sizes = [200, 16_384];

/** Visits in one request take much longer than the request itself, whose time varies. */
const duration = { sample: 200, turn: 100 };

const help = `npm run bench:engines -- [options]

  --rounds 15     how often each engine is timed
  --no-build      takes dist/ as it is
  --json          one JSON document on standard output, all else on standard error

Times are elapsed times, since an engine mostly waits for its store.`;

/** The dollars of one request with these operations. */
export function costOf(operations, { perMillion }) {
  const billed = { ...operations, gigabyteSeconds: (operations.requests ?? 0) * activeSeconds * gigabytes };
  return Object.entries(perMillion).reduce((sum, [name, price]) => sum + ((billed[name] ?? 0) * price) / 1e6, 0);
}

/** The dollars of a day of a million requests, and of one on which each request with a session moves its expiry. */
export function billOf({ operations }, list) {
  if (!list) return { day: 0, renewing: 0 };
  const sum = (requests) => Object.entries(requests).reduce((all, [kind, number]) => all + number * costOf(operations[kind], list), 0);
  const { read, ...others } = day;
  return { day: sum(day), renewing: operations.renew && sum({ ...others, renew: read }) };
}

/** All that was counted; and the median of the ratios of each engine's times to those of KV in the same round, if they were measured. */
export function summary(counted, timed) {
  return engines.map(({ name, prices: list }) => {
    const [small, ...larger] = counted.filter(({ engine }) => engine === name);
    for (const { bytes, operations } of larger) {
      if (JSON.stringify(operations) !== JSON.stringify(small.operations)) throw new Error(`${name} has other operations at ${bytes} B`);
    }
    const bySize = (value) => Object.fromEntries([small, ...larger].map((result) => [result.bytes, value(result)]));
    const times = (engine, bytes) => timed.find((result) => result.contender === engine && result.bytes === bytes).times;
    const ratio = ({ bytes }) => median(times(name, bytes).map((time, round) => time / times("kv", bytes)[round]));
    return {
      engine: name,
      operations: small.operations,
      savedBytes: bySize(({ savedBytes }) => savedBytes),
      cookieBytes: bySize(({ cookieBytes }) => cookieBytes),
      ...(timed && { timesKv: bySize(ratio), microseconds: bySize(({ bytes }) => median(times(name, bytes))) }),
      dollars: billOf(small, list && prices[list]),
    };
  });
}

/** Dollars as text. */
export const dollars = (value) => (value === undefined ? "–" : value.toFixed(3));

/** Operations as words. */
export function described(operations) {
  if (!operations) return "–";
  const counted = Object.keys(names).filter((name) => operations[name]);
  return counted.map((name) => `${operations[name]} ${names[name][operations[name] === 1 ? 0 : 1]}`).join(", ") || "nothing";
}

function print(results, rounds) {
  const title = (engine) => engines.find(({ name }) => name === engine).title;
  say("\nOperations of a request\n");
  table(results.flatMap(({ engine, operations }) => [
    [title(engine), ""],
    ...Object.entries(kinds).map(([kind, text]) => [`  ${text}`, described(operations[kind])]),
  ]));
  const size = (bytes) => (bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KB`);
  const columns = (text) => sizes.map((bytes) => `${text}, ${size(bytes)}`);
  const texts = (values, text = String) => sizes.map((bytes) => (values[bytes] === undefined ? "–" : text(values[bytes])));
  say("\nBytes of a put and of the cookie after ten saves, and the time of a load and a save as a multiple of kv's:");
  say(`the median of ${rounds} rounds\n`);
  table([
    ["", ...columns("put"), ...columns("cookie"), ...columns("time")],
    ...results.map(({ engine, savedBytes, cookieBytes, timesKv }) => [
      title(engine), ...texts(savedBytes), ...texts(cookieBytes), ...texts(timesKv, (ratio) => ratio.toPrecision(2)),
    ]),
  ]);
  say("\nDollars of a day with a million requests: 90 % without a session, 9 % read, 1 % save a key\n");
  table([
    ["", "a day", "every reading request moves the expiry"],
    ...results.map(({ engine, dollars: bill }) => [title(engine), dollars(bill.day), dollars(bill.renewing)]),
  ]);
  say(`\nPrices of ${prices.date}, beyond what the plan includes, without the requests of the Worker itself. A call is assumed to keep`);
  say(`its Durable Object active for ${activeSeconds * 1000} ms. The second column is the most that SESSION_SAVE_EVERY_REQUEST can cost:`);
  say("edge-session writes only if that moves the expiry by a tenth of the session's life. Sources:");
  for (const { page } of Object.values(prices).filter(({ page }) => page)) say(`  ${page}`);
}

/** Puts the Worker with its bindings and the table of D1 into a folder, and serves it. */
async function served(folder) {
  const contents = 'export * from "./workers/engines.mjs"; export { default } from "./workers/engines.mjs";';
  await bundleForWorkerd("engines", contents, folder);
  const [, date] = read("wrangler.toml").match(/^compatibility_date = "(.+)"/m);
  const objects = [["SESSION_OBJECTS", "SessionObject"], ["COUNTED_OBJECTS", "CountedObject"]];
  writeFileSync(join(folder, "wrangler.toml"), `
name = "engines"
main = "engines/engines.js"
compatibility_date = "${date}"
no_bundle = true
rules = [{ type = "CompiledWasm", globs = ["**/*.wasm"] }]
kv_namespaces = [{ binding = "SESSIONS", id = "sessions" }]
migrations = [{ tag = "v1", new_sqlite_classes = ${JSON.stringify(objects.map(([, name]) => name))} }]

[[d1_databases]]
binding = "SESSION_DB"
database_name = "sessions"
database_id = "sessions"
migrations_dir = ${JSON.stringify(join(root, "migrations"))}
${objects.map(([binding, name]) => `
[[durable_objects.bindings]]
name = "${binding}"
class_name = "${name}"
`).join("")}`);
  await succeed("wrangler", ["d1", "migrations", "apply", "SESSION_DB", "--local"], { cwd: folder, env: { CI: "1" } });
  return serve(folder);
}

/** Counts the operations of each engine, and times them in as many rounds; with 0, only counts. */
export async function measured(rounds) {
  const folder = mkdtempSync(join(tmpdir(), "edge-session-engines-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const { url, stop } = await served(folder);
  async function text(path) {
    const response = await fetch(url + path);
    const body = await response.text();
    if (response.status !== 200) throw new Stop(`The Worker failed at ${path}:\n${body}`);
    return body;
  }
  try {
    const counted = [];
    for (const { name, fits = () => true } of engines) {
      for (const bytes of sizes.filter((bytes) => fits({ bytes }))) counted.push(JSON.parse(await text(`/count?engine=${name}&bytes=${bytes}`)));
    }
    const worker = { ask: (engine, query) => text(`/?engine=${engine}&${query}`), pid: () => undefined };
    const cells = sizes.map((bytes) => ({ mode: "small", bytes }));
    return summary(counted, rounds ? await measure(worker, clocks.wall, engines, cells, rounds, say, duration) : undefined);
  } finally {
    await stop();
  }
}

async function bench(args) {
  const { rounds, build, json, help: asked } = optionsOf(args, help, 15);
  if (asked) return say(help);
  if (json) aside();
  await setUp([...(build ? needs.package : ["packages"]), "peers"]);
  if (build) await buildPackage();
  else if (!existsSync(join(root, "dist", "workerd.js"))) throw new Stop("There is no dist/ to measure. Run it without --no-build.");
  const results = await measured(rounds);
  if (json) process.stdout.write(`${JSON.stringify({ rounds, prices, activeSeconds, day, results }, null, 2)}\n`);
  else print(results, rounds);
}

await script(import.meta.url, bench);
