// Measures visits against other libraries and against no library, in workerd and in Node: Cookie header in, load, read two
// fields, write one or none, commit, Set-Cookie out. `npm run bench -- --help` lists the options.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildPackage } from "../../scripts/package.mjs";
import { aside, say, script, Stop } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";
import { needs, setUp } from "../../scripts/setup.mjs";
import { clocks } from "./clock.mjs";
import { contenders } from "./contenders.mjs";
import { measure } from "./measure.mjs";
import { among, optionsOf } from "./options.mjs";
import { judged, print, standing } from "./report.mjs";
import { runtimes } from "./runtimes.mjs";
import { modes } from "./visit.mjs";

const sizes = [200, 2048, 16_384, 131_072];

const help = `npm run bench -- [options]

  --runtime workerd,node          in which runtimes
  --mode small,large,read,anonymous
                                  what a visit does: it writes a small field, or the one that holds most of the session; it
                                  only reads; it looks for a value without a session cookie
  --sizes 200,2048,16384,131072   bytes of the session's JSON, where there is a session
  --only floor,edge-session       who takes part, of ${contenders.map(({ name }) => name).join(", ")}
  --before path/to/dist           another build of the package, such as the one before a change, measured beside this one
  --rounds 15                     how often each is measured
  --clock cpu                     processor time (Linux), or wall
  --no-build                      takes dist/ as it is
  --json                          one JSON document on standard output, all else on standard error`;

async function bench(args) {
  const options = chosen(args);
  if (options.help) return say(help);
  if (options.json) aside();
  await setUp([...(options.build ? needs.package : ["packages"]), ...(options.only.some(({ peer, npm }) => peer || npm) ? ["peers"] : [])]);
  if (options.build) await buildPackage();
  else if (!existsSync(join(root, "dist", "node.js"))) throw new Stop("There is no dist/ to measure. Run it without --no-build.");
  const cells = options.mode.flatMap((mode) => (modes[mode].sizes ?? options.sizes).map((bytes) => ({ mode, bytes })));
  const measured = [];
  for (const runtime of options.runtime) {
    const folder = mkdtempSync(join(tmpdir(), "edge-session-bench-"));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    const processes = await runtimes[runtime](options.only, folder);
    try {
      const report = (text) => say(`${runtime}: ${text}`);
      const times = await measure(processes, clocks[options.clock], options.only, cells, options.rounds, report);
      measured.push(...times.map((result) => ({ runtime, ...result })));
    } finally {
      processes.stop();
    }
  }
  const results = judged(measured);
  const { clock, rounds } = options;
  if (options.json) process.stdout.write(`${JSON.stringify({ clock, rounds, standing: standing(results), results }, null, 2)}\n`);
  else print(results, options);
}

const chosen = (args) => optionsOf(args, help, 15, ["runtime", "mode", "sizes", "only", "before"], (values) => ({
  ...values,
  runtime: among(Object.keys(runtimes), "runtime", values),
  mode: among(Object.keys(modes), "mode", values),
  sizes: among(sizes, "sizes", values),
  only: among(contenders, "only", values, ({ name }) => name).concat(values.before ? [otherBuild(values.before)] : []),
}));

/** Another build of this package, as a contender of its own. */
function otherBuild(dist) {
  if (!existsSync(join(dist, "node.js"))) throw new Error(`--before takes the folder of a built package; there is no node.js in ${dist}`);
  return { name: "before", title: "edge-session, the other build", module: "edge-session", dist: resolve(dist) };
}

await script(import.meta.url, bench);
