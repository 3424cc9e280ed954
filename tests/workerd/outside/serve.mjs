// Workers over HTTP, in a workerd of their own: for what only a client outside can do or see.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { root } from "../../../scripts/project.mjs";

export const read = (path) => readFileSync(join(root, path));
const [, compatibilityDate] = read("wrangler.toml").toString().match(/^compatibility_date = "(.+)"/m);

/**
 * Serves a script of the test's own that imports the Workers: `./app/index.js`, `./pages/index.js`, and the package,
 * `./package/workerd.js`. Gives `{ url, output(), stop() }`.
 */
export async function serve(script) {
  const lines = [];
  const worker = (name, folder) => [
    { type: "ESModule", path: `${name}/index.js`, contents: read(join(folder, "index.js")).toString() },
    { type: "CompiledWasm", path: `${name}/index_bg.wasm`, contents: read(join(folder, "index_bg.wasm")) },
  ];
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    modules: [
      { type: "ESModule", path: "script.mjs", contents: script },
      ...worker("app", "build"),
      ...worker("pages", "tests/packages/rust-pages/build"),
      ...["workerd.js", "door.js"].map((name) => ({ type: "ESModule", path: `package/${name}`, contents: read(join("dist", name)).toString() })),
      { type: "CompiledWasm", path: "package/edge-session.wasm", contents: read("dist/edge-session.wasm") },
    ],
    compatibilityDate,
    kvNamespaces: ["SESSIONS"],
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    bindings: { SESSION_SECRET: "the workerd tests' secret, of more than 32 bytes" },
    log: new Log(LogLevel.NONE),
    handleStructuredLogs: ({ message }) => lines.push(message),
  }));
  await miniflare.ready;
  const url = await miniflare.unsafeGetDirectURL(); // past the Worker that Miniflare puts in front, which trips over odd requests
  return { url, output: () => lines.join("\n"), stop: () => miniflare.dispose() };
}
