// The Workers of `bench:start` and `bench:worker`. All have the same page, `/`: it reads the session, counts a visit, and
// responds with `{"visits":1}`. Each runs in a workerd of its own, beside a KV in memory.

import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Stop } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";
import { Browser } from "./browser.mjs";
import { bundleForWorkerd, service, socket, workerd } from "./runtimes.mjs";

/** The crate of the Rust Worker. */
export const crate = join(root, "tests/bench/workers/rust");
const rust = ["index.js", "index_bg.wasm"].map((file) => join(crate, "build", file));

/** By their names. `built` are the files that have to be built; a Worker without `isRust` is a module of `workers/`. */
export const workers = {
  rust: { title: "edge-session in Rust (Sessions::serve)", isRust: true, built: rust },
  package: { title: "edge-session from npm", built: [join(root, "dist/workerd.js")] },
  javascript: { title: "JavaScript, no library" },
  hono: { title: "Hono with hono-sessions" },
};

export const isBuilt = (name) => (workers[name].built ?? []).every(existsSync);

/** Puts a Worker into a folder. Returns the program that serves it, and its sockets: `page`, and `counts` of the KV calls. */
export async function installed(name, folder) {
  const kv = `${name}-kv`;
  const secret = '(name = "SESSION_SECRET", text = "the benchmark\'s secret, of more than 32 bytes")';
  const bindings = [`(name = "SESSIONS", kvNamespace = "${kv}")`, secret];
  const services = [service(name, await filesOf(name, folder), bindings), service(kv, await filesOf("kv", folder, kv))];
  const sockets = [{ name, service: name }, { name: kv, service: kv, entrypoint: "counts" }];
  const program = await workerd(folder, name, services, sockets);
  return { ...program, page: socket(folder, name), counts: socket(folder, kv) };
}

/** Returns the names of a Worker's files, the script first. */
async function filesOf(name, folder, target = name) {
  const module = `"./workers/${name}.mjs"`;
  if (!workers[name]?.isRust) return bundleForWorkerd(target, `export * from ${module}; export { default } from ${module};`, folder);
  mkdirSync(join(folder, target));
  for (const file of rust) cpSync(file, join(folder, target, basename(file)));
  return rust.map((file) => basename(file));
}

/** Starts an installed Worker. Returns its process, the time before the start, and `connect`, which waits for a socket. */
export function started({ program, args, page, counts }) {
  for (const path of [page, counts]) rmSync(path, { force: true }); // of an earlier process
  const began = performance.now();
  let pid;
  const ended = run(program, args, { quiet: true, started: (id) => (pid = id) }).then(({ output }) => {
    throw new Stop(`A process that was to be measured ended:\n${output}`);
  });
  ended.catch(() => {}); // pending requests report it
  return {
    pid,
    began,
    /** Polls, since a measurement must not wait for a watcher. */
    async connect(path = page) {
      for (;;) {
        const browser = await Browser.connect(path).catch(() => undefined);
        if (browser) return browser;
        await Promise.race([ended, sleep(1)]);
      }
    },
    counts,
    async stop() {
      process.kill(pid);
      await ended.catch(() => {});
    },
  };
}
