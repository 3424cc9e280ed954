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
const inWorkerd = { platform: "neutral", conditions: ["workerd", "worker"], mainFields: ["module", "main"], external: ["cloudflare:*"] };
const agent = new Agent({ keepAlive: true });
export const socket = (folder, name) => join(folder, `${name}.sock`);

/**
 * Each builds contenders into a folder and starts them. Returns `ask`, which sends a query to a contender, `pid`, which
 * returns its process id, and `stop`.
 */
export const runtimes = {
  async workerd(contenders, folder) {
    const names = contenders.map(({ name }) => name);
    const services = [];
    for (const contender of contenders) {
      const files = await bundleForWorkerd(contender.name, page(contender, "workerd"), folder, contender.dist);
      services.push(service(contender.name, files));
    }
    const sockets = names.map((name) => ({ name, service: name }));
    return start(folder, [{ ...(await workerd(folder, "config", services, sockets)), names }]);
  },
  async node(contenders, folder) {
    const names = contenders.map(({ name }) => name);
    for (const contender of contenders) {
      const options = { platform: "node", plugins: [imports(contender.dist)] };
      await bundle(contender.name, page(contender, "node"), folder, options);
    }
    return start(folder, names.map((name) => ({ program: "node", args: [join(folder, name, `${name}.js`), socket(folder, name)], names: [name] })));
  },
};

/** The program of a contender. */
function page({ name, module = name }, runtime) {
  return `import contender from "./contenders/${module}.mjs";
    import { serve } from "./${runtime}.mjs";
    export default serve(contender);`;
}

/** Bundles a Worker as `bundle` does, with the package in `dist`. */
export function bundleForWorkerd(name, contents, folder, dist = join(root, "dist")) {
  return bundle(name, contents, folder, { ...inWorkerd, plugins: [imports(dist, join(dist, "workerd.js"))] });
}

/** The service of a Worker for workerd's configuration, from the names of its files, the script first. */
export function service(name, files, bindings = []) {
  const [, date] = read("wrangler.toml").match(/^compatibility_date = "(.+)"/m);
  const kind = (file) => (file.endsWith(".wasm") ? "wasm" : "esModule");
  const modules = files.map((file) => `(name = "${file}", ${kind(file)} = embed "${name}/${file}")`);
  return `(name = "${name}", worker = (modules = [${modules}], compatibilityDate = "${date}", bindings = [${bindings}]))`;
}

/**
 * Writes a configuration of workerd, and returns the program that serves it. Each of `sockets` has a name, a service and, unless it
 * is the default one, an entrypoint.
 */
export async function workerd(folder, name, services, sockets) {
  const listed = sockets.map(({ name, service, entrypoint }) => {
    const target = entrypoint ? `(name = "${service}", entrypoint = "${entrypoint}")` : `"${service}"`;
    return `(name = "${name}", service = ${target}, address = "unix:${socket(folder, name)}", http = ())`;
  });
  const config = join(folder, `${name}.capnp`);
  writeFileSync(config, `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [${services}], sockets = [${listed}]);
`);
  const program = (await import("workerd")).default.default; // `.bin/workerd` may be a script that starts another process
  return { program, args: ["serve", config] };
}

/** The package in `dist`, in a bundle if `entry` names its entry; React Router's package imports one that contains types only. */
function imports(dist = join(root, "dist"), entry) {
  return {
    name: "imports",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /dist\/node\.js$/ }, () => (entry ? { path: entry } : { path: join(dist, "node.js"), external: true }));
      onResolve({ filter: /^@cloudflare\/workers-types$/ }, ({ path }) => ({ path, namespace: "empty" }));
      onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "" }));
    },
  };
}

/** Bundles a program into a folder of its own, and returns the names of the files, the script first. */
async function bundle(name, contents, folder, options) {
  const esbuild = await import("esbuild"); // may have been installed by set-up only now
  const { metafile } = await esbuild.build({
    stdin: { contents, resolveDir: here },
    outfile: join(folder, name, `${name}.js`),
    bundle: true,
    format: "esm",
    target: "es2024",
    define: { "process.env.NODE_ENV": '"production"' },
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    metafile: true,
    logLevel: "error",
    ...options,
  });
  return Object.keys(metafile.outputs).map((path) => basename(path)).sort((one) => (one.endsWith(".js") ? -1 : 1));
}

/** Starts programs, each of which has one or more contenders in it, and waits until all of them listen. */
export async function start(folder, programs) {
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
