// Measures cold starts in workerd: from the start of the process to the first response, and the first two requests. The first one
// makes and saves a session. `npm run bench:start -- --help` lists the options.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { buildPackage } from "../../scripts/package.mjs";
import { aside, say, script, Stop } from "../../scripts/print.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";
import { clocks, usual } from "./clock.mjs";
import { median, shuffled } from "./measure.mjs";
import { optionsOf } from "./options.mjs";
import { table } from "./report.mjs";
import { installed, isBuilt, started, workers } from "./workers.mjs";

/** The most milliseconds to the first response that the package may add to a Worker without it. */
const goal = 10;
const plain = "javascript";

const help = `npm run bench:start -- [options]

  --rounds 21     how many processes of each Worker are started
  --clock cpu     judges processor time (Linux), which depends less on other load, or wall: elapsed time
  --no-build      takes dist/ as it is
  --json          one JSON document on standard output, all else on standard error

The Worker in Rust takes part once \`npm run bench:worker\` has built it.`;

const titles = {
  wall: "start to first response",
  cpu: "processor time of it",
  first: "first request",
  second: "second request",
};

/** One cold start: milliseconds. */
async function coldStart(program) {
  const { pid, began, connect, stop } = started(program);
  try {
    const browser = await connect();
    const connected = performance.now();
    await browser.visit();
    const first = performance.now();
    const cpu = usual === "cpu" ? clocks.cpu(pid) : undefined;
    const again = performance.now();
    await browser.visit();
    const second = performance.now() - again;
    browser.close();
    return { wall: first - began, cpu, first: first - connected, second };
  } finally {
    await stop();
  }
}

/** The medians of each Worker's cold starts, and of the differences to the plain Worker's start of the same round. */
export function summary(starts, clock) {
  const results = Object.entries(starts).map(([name, rounds]) => {
    const all = (figure, value) => (rounds[0][figure] === undefined ? undefined : median(rounds.map(value)));
    const each = (value) => Object.fromEntries(Object.keys(titles).map((figure) => [figure, all(figure, value(figure))]));
    const milliseconds = each((figure) => (times) => times[figure]);
    const added = (figure) => (times, round) => times[figure] - starts[plain][round][figure];
    return { worker: name, milliseconds, ...(name !== plain && { difference: each(added) }), rounds };
  });
  const [added] = results.filter(({ worker }) => worker === "package");
  return { goal: { most: goal, clock, met: added.difference[clock] <= goal }, results };
}

function print({ goal, results }, rounds) {
  const figures = Object.keys(titles).filter((figure) => results[0].milliseconds[figure] !== undefined);
  const text = (times, sign) => figures.map((figure) => `${sign && times[figure] >= 0 ? "+" : ""}${times[figure].toFixed(1)}`);
  say(`\nMilliseconds of a cold start in workerd: the median of ${rounds} processes, and of the differences inside a round\n`);
  table([
    ["", ...figures.map((figure) => titles[figure])],
    ...results.flatMap(({ worker, milliseconds, difference }) => [
      [workers[worker].title, ...text(milliseconds)],
      ...(difference ? [[`  more than ${workers[plain].title}`, ...text(difference, true)]] : []),
    ]),
  ]);
  const time = goal.clock === "cpu" ? "of processor time " : "";
  say(`\nThe package may add at most ${goal.most} ms ${time}until the first response: ${goal.met ? "met" : "not met"}.`);
}

async function bench(args) {
  const { rounds, clock, build, json, help: asked } = optionsOf(args, help, 21);
  if (asked) return say(help);
  if (json) aside();
  await setUp(build ? needs.package : ["packages"]);
  if (build) await buildPackage();
  const names = [plain, "package", "rust"].filter(isBuilt);
  if (!names.includes("package")) throw new Stop("There is no dist/ to measure. Run it without --no-build.");
  const folder = mkdtempSync(join(tmpdir(), "edge-session-start-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const programs = {};
  for (const name of names) programs[name] = await installed(name, folder);
  const starts = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) await coldStart(programs[name]); // fills the file system's cache
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    for (const name of shuffled(names)) starts[name].push(await coldStart(programs[name]));
  }
  const result = summary(starts, clock);
  if (json) process.stdout.write(`${JSON.stringify({ rounds, ...result }, null, 2)}\n`);
  else print(result, rounds);
}

await script(import.meta.url, bench);
