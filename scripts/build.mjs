// Builds the Worker into worker/build/: cargo, wasm-bindgen and wasm-opt for the crate, esbuild for the entry module. wrangler runs it
// before it serves or deploys. A digest of everything that goes into the build lies beside the result; if it still fits, nothing is done.
// The tests also build Workers of their own that use the crate.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop, say, script, seconds } from "./print.mjs";
import { bin, find, read, root } from "./project.mjs";
import { program, tools } from "./tools.mjs";
import { assumptions, compile, features, order, step } from "./wasm.mjs";

/** This repository's Worker, and those of the tests that use the crate as a stranger's would. */
export const app = join(root, "worker");
export const consumers = ["examples/axum-worker", "examples/rust-worker", "tests/packages/rust-pages"].map((folder) => join(root, folder));

const outputs = ["index.js", "index_bg.wasm"];
const entry = join(root, "scripts/worker-entry.js");
const durableObject = join(root, "npm/src/durable-object/index.ts");

/** A digest of the sources, the settings and the versions of the tools. Times of files would lie after a checkout. */
function inputs(folder) {
  const sources = [root, join(root, "crates/crypto"), folder].flatMap((place) =>
    readdirSync(join(place, "src"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort());
  const settings = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "scripts/build.mjs", "scripts/wasm.mjs"].map((name) => join(root, name));
  const digest = createHash("sha256");
  for (const path of [...settings, entry, durableObject, join(folder, "Cargo.toml"), ...sources]) {
    digest.update(`${path.slice(root.length)}\0`).update(readFileSync(path));
  }
  digest.update(tools["wasm-bindgen"].version());
  for (const name of ["binaryen", "esbuild"]) digest.update(JSON.parse(read("node_modules", name, "package.json")).version);
  return digest.update(process.env.RUSTFLAGS ?? "").digest("hex");
}

/** Builds the Worker whose crate is in `folder`, into `build` in it. */
export async function build(folder = app) {
  const started = Date.now();
  if (![program("wasm-bindgen"), find("wasm-opt", [bin]), find("esbuild", [bin])].every(Boolean)) {
    throw new Stop("The tools that build the Worker are not complete. Run `npm run setup build`, then build again.");
  }
  const built = join(folder, "build");
  const note = join(built, "inputs.sha256");
  const complete = () => outputs.every((name) => existsSync(join(built, name)));
  const wanted = inputs(folder);
  if (complete() && existsSync(note) && readFileSync(note, "utf8") === wanted) {
    return say("The Worker is up to date.");
  }
  say(`Building the Worker, which takes ${complete() ? "half a minute" : "about 1½ minutes the first time"}.`);
  mkdirSync(built, { recursive: true });
  const staging = mkdtempSync(join(built, "staging-"));
  const discard = () => rmSync(staging, { recursive: true, force: true });
  process.once("exit", discard);
  try {
    await produce(folder, staging);
    rmSync(note, { force: true });
    for (const name of outputs) renameSync(join(staging, "out", name), join(built, name));
    writeFileSync(note, wanted);
  } catch (error) {
    if (!(error instanceof Stop && process.env.WRANGLER_COMMAND === "dev" && complete())) throw error;
    return say("The Worker could not be built. The last good one is served until the errors above are fixed.");
  } finally {
    process.off("exit", discard);
    discard();
  }
  say(`The Worker was built in ${seconds(Date.now() - started)}.`);
}

/** Writes the Worker's two files into `out` in a folder, which also gets what is made on the way. */
async function produce(folder, staging) {
  const [, crate] = readFileSync(join(folder, "Cargo.toml"), "utf8").match(/^name = "(.+)"/m);
  const glue = join(staging, "index.js");
  const wasm = join(staging, "index_bg.wasm");
  // With the variable, the macros of `worker` use the futures of js-sys, as in the tool worker-build.
  await compile({ crate, profile: "release", target: "worker", name: "index", folder: staging, env: { WASM_BINDGEN_USE_JS_SYS: "1" } });
  // workerd has no source phase imports; there, an import of a .wasm file is a compiled module.
  writeFileSync(glue, readFileSync(glue, "utf8").replace("import source ", "import "));
  cpSync(entry, join(staging, "entry.js"));
  const bundled = ["--bundle", "--minify", "--format=esm", "--external:./index_bg.wasm", "--external:cloudflare:*", "--log-level=warning"];
  const imported = `--alias:edge-session/durable-object=${durableObject}`;
  // A crate need not handle every event that the entry knows.
  const silent = "--log-override:import-is-undefined=silent";
  await step(find("esbuild", [bin]), [join(staging, "entry.js"), ...bundled, imported, silent, `--outfile=${join(staging, "out/index.js")}`]);
  const passes = [...assumptions, "-O3", order, "--strip-debug", "--strip-producers"];
  await step(find("wasm-opt", [bin]), [wasm, ...features, "--enable-exception-handling", ...passes, "--output", join(staging, "out/index_bg.wasm")]);
}

await script(import.meta.url, () => build());
