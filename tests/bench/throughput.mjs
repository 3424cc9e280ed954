// Measures requests a second of whole Workers in workerd, with KV in memory: in Rust, without a library in JavaScript with the same
// KV calls, and with Hono and hono-sessions. `npm run bench:worker -- --help` lists the options.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build as buildWorker } from "../../scripts/build.mjs";
import { buildPackage } from "../../scripts/package.mjs";
import { aside, say, script, Stop } from "../../scripts/print.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";
import { clocks, usual } from "./clock.mjs";
import { median, shuffled } from "./measure.mjs";
import { count, optionsOf } from "./options.mjs";
import { table } from "./report.mjs";
import { crate, installed, isBuilt, started, workers } from "./workers.mjs";

/** The least ratio of the requests a second of the Rust Worker to those of another one. */
const goals = { javascript: 0.8, hono: 1 };

const help = `npm run bench:worker -- [options]

  --rounds 9        how often each Worker is measured
  --browsers 16     how many connections request pages at the same time, each with a session
  --clock cpu       a second of processor time of workerd with its KV (Linux), or wall: of elapsed time
  --no-build        takes dist/ and the built Worker as they are
  --json            one JSON document on standard output, all else on standard error`;

const sample = 400; // milliseconds that a Worker's requests take in a round, about
const warmth = 1500; // milliseconds of requests before the first round, for the compilers

/** A running Worker with browsers. `visit` makes a number of visits, and returns how many milliseconds one takes. */
async function visited(name, folder, clock, count) {
  const { pid, connect, counts, stop } = started(await installed(name, folder));
  try {
    const browsers = [];
    for (let n = 0; n < count; n++) browsers.push(await connect());
    const meter = await connect(counts);
    async function visit(visits) {
      const began = clock(pid);
      let left = visits;
      await Promise.all(browsers.map(async (browser) => {
        while (left-- > 0) await browser.visit();
      }));
      return (clock(pid) - began) / visits;
    }
    /** The KV calls of a visit with a session. */
    async function calls() {
      await browsers[0].visit();
      await meter.get();
      await browsers[0].visit();
      return JSON.parse(await meter.get());
    }
    return { name, calls: await calls(), visit, times: [], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function measured(folder, { rounds, browsers, clock }) {
  const running = [];
  try {
    for (const name of Object.keys(workers)) running.push(await visited(name, folder, clocks[clock], browsers));
    say("warming up");
    for (const worker of running) {
      let time;
      for (let spent = 0, visits = 64; spent < warmth; spent += time * visits) time = await worker.visit(visits);
      worker.visits = Math.max(browsers, Math.round(sample / time));
    }
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      for (const worker of shuffled(running)) worker.times.push(await worker.visit(worker.visits));
    }
    return running.map(({ name, calls, times }) => ({ worker: name, calls, milliseconds: times }));
  } finally {
    for (const { stop } of running) await stop();
  }
}

/** Requests a second, and the Rust Worker's ratio to the others inside a round. */
export function summary(results) {
  const [rust] = results.filter(({ worker }) => worker === "rust");
  return results.map(({ worker, calls, milliseconds }) => {
    const rates = milliseconds.map((time) => 1000 / time);
    const ratio = median(milliseconds.map((time, round) => time / rust.milliseconds[round]));
    const least = goals[worker];
    const isMet = worker === "javascript" ? ratio >= least && sameCalls(calls, rust.calls) : ratio > least;
    return {
      worker,
      calls,
      requestsPerSecond: { median: median(rates), rounds: rates },
      rustTimes: ratio,
      ...(least && { goal: { least, met: isMet } }),
    };
  });
}

function sameCalls(one, other) {
  return ["get", "put", "delete"].every((call) => one[call] === other[call]);
}

function print(results, { rounds, browsers, clock }) {
  const second = clock === "cpu" ? "second of processor time of workerd, with its KV" : "second";
  say(`\nRequests a ${second}: the median of ${rounds} rounds [least–most], ${browsers} at a time\n`);
  table([
    ["", "requests a second", "KV get", "put", "Rust ×", "goal"],
    ...results.map(({ worker, calls, requestsPerSecond: { median, rounds }, rustTimes, goal }) => [
      workers[worker].title,
      `${median.toFixed(0)} [${Math.min(...rounds).toFixed(0)}–${Math.max(...rounds).toFixed(0)}]`,
      String(calls.get),
      String(calls.put),
      rustTimes.toFixed(2),
      goal ? `${goal.least === 1 ? ">" : "≥"} ${goal.least}, ${goal.met ? "met" : "not met"}` : "",
    ]),
  ]);
  const of = (name) => results.find(({ worker }) => worker === name).calls;
  if (!sameCalls(of("rust"), of("javascript"))) {
    say("\nThe Worker without a library makes other KV calls than the one in Rust: adapt tests/bench/workers/javascript.mjs.");
  }
}

async function bench(args) {
  const options = chosen(args);
  if (options.help) return say(help);
  if (options.json) aside();
  await setUp(options.build ? [...new Set([...needs.build, ...needs.package, "peers"])] : ["packages", "peers"]);
  if (options.build) {
    await buildPackage();
    await buildWorker(crate);
  }
  if (!Object.keys(workers).every(isBuilt)) throw new Stop("A Worker is not built. Run it without --no-build.");
  const folder = mkdtempSync(join(tmpdir(), "edge-session-worker-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const results = summary(await measured(folder, options));
  const { rounds, browsers, clock } = options;
  if (options.json) process.stdout.write(`${JSON.stringify({ rounds, browsers, clock, results }, null, 2)}\n`);
  else print(results, options);
}

const chosen = (args) => optionsOf(args, help, 9, ["browsers"], (values) => ({ ...values, browsers: count("browsers", values.browsers ?? 16) }));

await script(import.meta.url, bench);
