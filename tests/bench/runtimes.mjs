// Workerd and Node with the contenders in them: each contender has an isolate or a process of its own, so that none inherits
// another's garbage, or what the compiler learned from it.

import { existsSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Stop } from "../../scripts/print.mjs";
import { read, root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";

const here = join(root, "tests", "bench");
const agent = new Agent({ keepAlive: true });

/**
 * Each builds contenders into a folder and starts them; they end when the script ends. Gives two functions from a contender's
 * name: `ask` for its answer to a query, and `pid` for its process.
 */
export const runtimes = {
  async workerd(names, folder) {
    const [, date] = read("wrangler.toml").match(/^compatibility_date = "(.+)"/m);
    const services = [];
    for (const name of names) {
      const built = await bundle(name, folder, "workerd", { platform: "neutral", conditions: ["workerd", "worker"], mainFields: ["module", "main"] });
      const modules = built.map((file) => `(name = "${file}", ${file.endsWith(".wasm") ? "wasm" : "esModule"} = embed "${name}/${file}")`);
      services.push(`(name = "${name}", worker = (modules = [${modules}], compatibilityDate = "${date}"))`);
    }
    const sockets = names.map((name) => `(name = "${name}", service = "${name}", address = "unix:${socket(folder, name)}", http = ())`);
    const config = join(folder, "config.capnp");
    writeFileSync(config, `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${services}], sockets = [${sockets}]);
`);
    const program = (await import("workerd")).default.default; // `.bin/workerd` may be a script that starts another process
    let process;
    const serving = run(program, ["serve", config], { quiet: true, started: (pid) => (process = pid) });
    return { ask: await listening(names, folder, [serving]), pid: () => process };
  },
  async node(names, folder) {
    for (const name of names) await bundle(name, folder, "node", { platform: "node" });
    const processes = new Map();
    const serving = names.map((name) => run("node", [join(folder, name, `${name}.js`), socket(folder, name)], {
      quiet: true,
      started: (pid) => processes.set(name, pid),
    }));
    return { ask: await listening(names, folder, serving), pid: (name) => processes.get(name) };
  },
};

const socket = (folder, name) => join(folder, `${name}.sock`);

/** Bundles a contender into a folder of its own, and gives the names of the files, the script first. */
async function bundle(name, folder, runtime, options) {
  const esbuild = await import("esbuild"); // which set-up may have installed only now
  const ours = {
    name: "edge-session",
    setup({ onResolve }) {
      onResolve({ filter: /dist\/node\.js$/ }, () =>
        runtime === "node" ? { path: join(root, "dist/node.js"), external: true } : { path: join(root, "dist/workerd.js") });
    },
  };
  const { metafile } = await esbuild.build({
    stdin: {
      contents: `import contender from "./contenders/${name}.mjs"; import { serve } from "./${runtime}.mjs"; export default serve(contender);`,
      resolveDir: here,
    },
    outfile: join(folder, name, `${name}.js`),
    bundle: true,
    format: "esm",
    target: "es2024",
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    metafile: true,
    logLevel: "error",
    plugins: [ours],
    ...options,
  });
  return Object.keys(metafile.outputs).map((path) => basename(path)).sort((one) => (one.endsWith(".js") ? -1 : 1));
}

/** Waits until all of them listen, and gives a function from a contender's name and a query to its answer. */
async function listening(names, folder, programs) {
  const ended = Promise.race(programs).then(({ output }) => {
    throw new Stop(`A process that was to be measured ended:\n${output}`);
  });
  ended.catch(() => {}); // where it matters, somebody waits for it
  for (const name of names) while (!existsSync(socket(folder, name))) await Promise.race([ended, sleep(20)]);
  return async (name, query) => {
    const { status, text } = await Promise.race([ended, fetch(socket(folder, name), query)]);
    if (status !== 200) throw new Stop(`${name} did not do what it was to do at ${query}:\n${text}`);
  };
}

function fetch(socketPath, query) {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: `/?${query}`, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
    }).on("error", reject);
  });
}
