// Workers over HTTP, in a workerd of their own: for what only a client outside can do or see.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { root } from "../../../scripts/project.mjs";

export const read = (path) => readFileSync(join(root, path));
const [, compatibilityDate] = read("wrangler.toml").toString().match(/^compatibility_date = "(.+)"/m);

/** The Rust Workers that a script can import, and where each was built. */
const workers = { app: "worker/build", pages: "tests/packages/rust-pages/build" };

/**
 * Serves a script of the test's own that imports the Workers: `./app/index.js`, `./pages/index.js`, the package,
 * `./package/workerd.js`, and a Worker made with it, `./package-worker.js`. Returns `{ url, urls, output(), stop() }`.
 *
 * With more than one isolate, each runs the script by itself and has a URL of its own in `urls`; the namespaces are the same.
 *
 * With `engines`, the isolates also share SESSION_OBJECTS and SESSION_DB, whose table exists; the script must export `SessionObject`, from
 * `./package/durable-object.js`. With `folder`, what they store stays there. `modules` are further modules of the script, by their path.
 */
export async function serve(script, { isolates = 1, namespaces = ["SESSIONS"], engines = false, folder, modules: more = {} } = {}) {
  const lines = [];
  const imported = Object.entries(workers).filter(([name]) => script.includes(`./${name}/`));
  const packageWorker = read("tests/workerd/package-worker.mjs").toString().replace("../../dist/workerd.js", "./package/workerd.js");
  const modules = [
    { type: "ESModule", path: "script.mjs", contents: script },
    ...imported.flatMap(([name, folder]) => [
      { type: "ESModule", path: `${name}/index.js`, contents: read(join(folder, "index.js")).toString() },
      { type: "CompiledWasm", path: `${name}/index_bg.wasm`, contents: read(join(folder, "index_bg.wasm")) },
    ]),
    { type: "ESModule", path: "package-worker.js", contents: packageWorker },
    ...["workerd.js", "shared.js"].map((name) => ({ type: "ESModule", path: `package/${name}`, contents: read(join("dist", name)).toString() })),
    { type: "CompiledWasm", path: "package/edge-session.wasm", contents: read("dist/edge-session.wasm") },
    { type: "ESModule", path: "package/durable-object.js", contents: read("dist/durable-object/index.js").toString() },
    ...Object.entries(more).map(([path, file]) => ({ type: "ESModule", path, contents: read(file).toString() })),
  ];
  const names = Array.from({ length: isolates }, (_, n) => `isolate-${n}`);
  const shared = engines && {
    d1Databases: { SESSION_DB: "sessions" },
    durableObjects: { SESSION_OBJECTS: { className: "SessionObject", scriptName: names[0], useSQLite: true } },
  };
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    workers: names.map((name) => ({
      name,
      modules,
      compatibilityDate,
      kvNamespaces: Object.fromEntries(namespaces.map((binding) => [binding, binding])),
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      bindings: { SESSION_SECRET: "the workerd tests' secret, of more than 32 bytes" },
      ...shared,
    })),
    resourcePersistencePath: folder,
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ message }) => lines.push(message),
  }));
  await miniflare.ready;
  if (engines) await migrate(await miniflare.getD1Database("SESSION_DB", names[0]));
  // Bypasses Miniflare's front Worker, which fails on malformed requests.
  const urls = await Promise.all(names.map((name) => miniflare.unsafeGetDirectURL(name)));
  return { url: urls[0], urls, output: () => lines.join("\n"), stop: () => miniflare.dispose() };
}

/** Creates the table of the sessions, unless the database has it. */
async function migrate(database) {
  if (await database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'edge_session'").first()) return;
  for (const name of readdirSync(join(root, "migrations")).sort()) {
    const text = read(join("migrations", name)).toString().replace(/--.*$/gm, "");
    for (const statement of text.split(";").filter((part) => part.trim())) await database.prepare(statement).run();
  }
}
