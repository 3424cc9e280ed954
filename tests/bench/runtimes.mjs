// Workerd and Node with the contenders in them: each contender has an isolate or a process of its own, so that none inherits
// another's garbage or compiler state.

import { existsSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Stop } from "../../scripts/print.mjs";
import { read, root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";

const here = join(root, "tests", "bench");
const agent = new Agent({ keepAlive: true });
const socket = (folder, name) => join(folder, `${name}.sock`);

/**
 * Each builds contenders into a folder and starts them. Returns `ask`, which sends a query to a contender, `pid`, which
 * returns its process id, and `stop`.
 */
export const runtimes = {
  async workerd(contenders, folder) {
    const names = contenders.map(({ name }) => name);
    const [, date] = read("wrangler.toml").match(/^compatibility_date = "(.+)"/m);
    const services = [];
    for (const contender of contenders) {
      const { name } = contender;
      const files = await bundle(contender, folder, "workerd", { platform: "neutral", conditions: ["workerd", "worker"], mainFields: ["module", "main"] });
      const modules = files.map((file) => `(name = "${file}", ${file.endsWith(".wasm") ? "wasm" : "esModule"} = embed "${name}/${file}")`);
      services.push(`(name = "${name}", worker = (modules = [${modules}], compatibilityDate = "${date}"))`);
    }
    const sockets = names.map((name) => `(name = "${name}", service = "${name}", address = "unix:${socket(folder, name)}", http = ())`);
    const config = join(folder, "config.capnp");
    writeFileSync(config, `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${services}], sockets = [${sockets}]);
`);
    const program = (await import("workerd")).default.default; // `.bin/workerd` may be a script that starts another process
    return start(folder, [{ program, args: ["serve", config], names }]);
  },
  async node(contenders, folder) {
    const names = contenders.map(({ name }) => name);
    for (const contender of contenders) await bundle(contender, folder, "node", { platform: "node" });
    return start(folder, names.map((name) => ({ program: "node", args: [join(folder, name, `${name}.js`), socket(folder, name)], names: [name] })));
  },
};

/** Bundles a contender into a folder of its own, and returns the names of the files, the script first. */
async function bundle({ name, module = name, dist = join(root, "dist") }, folder, runtime, options) {
  const esbuild = await import("esbuild"); // may have been installed by set-up only now
  const imports = {
    name: "imports",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /dist\/node\.js$/ }, () =>
        runtime === "node" ? { path: join(dist, "node.js"), external: true } : { path: join(dist, "workerd.js") });
      // React Router's package imports one that contains types only.
      onResolve({ filter: /^@cloudflare\/workers-types$/ }, ({ path }) => ({ path, namespace: "empty" }));
      onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "" }));
    },
  };
  const { metafile } = await esbuild.build({
    stdin: {
      contents: `import contender from "./contenders/${module}.mjs"; import { serve } from "./${runtime}.mjs"; export default serve(contender);`,
      resolveDir: here,
    },
    outfile: join(folder, name, `${name}.js`),
    bundle: true,
    format: "esm",
    target: "es2024",
    define: { "process.env.NODE_ENV": '"production"' },
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    metafile: true,
    logLevel: "error",
    plugins: [imports],
    ...options,
  });
  return Object.keys(metafile.outputs).map((path) => basename(path)).sort((one) => (one.endsWith(".js") ? -1 : 1));
}

/** Starts programs, each of which has one or more contenders in it, and waits until all of them listen. */
async function start(folder, programs) {
  const pids = new Map();
  const running = programs.map(({ program, args, names }) =>
    run(program, args, { quiet: true, started: (pid) => names.forEach((name) => pids.set(name, pid)) }));
  const ended = Promise.race(running).then(({ output }) => {
    throw new Stop(`A process that was to be measured ended:\n${output}`);
  });
  ended.catch(() => {}); // pending requests report it
  function stop() {
    for (const pid of new Set(pids.values())) {
      try {
        process.kill(pid);
      } catch {
        // it has already ended
      }
    }
  }
  try {
    for (const name of pids.keys()) while (!existsSync(socket(folder, name))) await Promise.race([ended, sleep(20)]);
  } catch (error) {
    stop();
    throw error;
  }
  return {
    async ask(name, query) {
      const { status, text } = await Promise.race([ended, answer(socket(folder, name), query)]);
      if (status !== 200) throw new Stop(`${name} failed at ${query}:\n${text}`);
    },
    pid: (name) => pids.get(name),
    stop,
  };
}

function answer(socketPath, query) {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: `/?${query}`, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
    }).on("error", (error) => setTimeout(reject, 1000, error)); // by then it is known whether its process has ended
  });
}
