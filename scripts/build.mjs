// Builds the Worker into worker/build/ with worker-build, which runs cargo, wasm-bindgen and wasm-opt. wrangler runs this script
// before it serves or deploys. A digest of all inputs is stored beside the result; if it is unchanged, nothing is built.
// The tests also build other Workers that use the crate.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop, say, script, seconds } from "./print.mjs";
import { bin, find, nameless, read, root } from "./project.mjs";
import { run } from "./run.mjs";
import { program } from "./tools.mjs";

/** This repository's Worker, and an example and a test Worker that use the crate as a dependency. */
export const app = join(root, "worker");
export const consumers = ["examples/rust-worker", "tests/packages/rust-pages"].map((folder) => join(root, folder));

/** A digest of the sources, the settings and the versions of the tools. File times are wrong after a checkout. */
function inputs(folder) {
  const sources = [root, join(root, "crates/crypto"), folder].flatMap((place) =>
    readdirSync(join(place, "src"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort());
  const settings = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "scripts/build.mjs"].map((name) => join(root, name));
  const digest = createHash("sha256");
  for (const path of [...settings, join(folder, "Cargo.toml"), ...sources]) {
    digest.update(`${path.slice(root.length)}\0`).update(readFileSync(path));
  }
  for (const name of ["binaryen", "esbuild"]) digest.update(JSON.parse(read("node_modules", name, "package.json")).version);
  return digest.update(process.env.RUSTFLAGS ?? "").digest("hex");
}

export async function build(folder = app) {
  const started = Date.now();
  const built = join(folder, "build");
  const note = join(built, "inputs.sha256");
  const outputs = ["index.js", "index_bg.wasm"].map((name) => join(built, name));
  const builder = program("worker-build");
  const env = {
    WASM_BINDGEN_BIN: program("wasm-bindgen"),
    WASM_OPT_BIN: find("wasm-opt", [bin]),
    ESBUILD_BIN: find("esbuild", [bin]),
    RUST_BACKTRACE: "0", // a backtrace of worker-build itself does not help
    RUSTFLAGS: [process.env.RUSTFLAGS, nameless].filter(Boolean).join(" "),
  };
  if (![builder, ...Object.values(env)].every(Boolean)) {
    throw new Stop("The tools that build the Worker are not complete. Run `npm run setup build`, then build again.");
  }
  const wanted = inputs(folder);
  if (outputs.every(existsSync) && existsSync(note) && readFileSync(note, "utf8") === wanted) {
    return say("The Worker is up to date.");
  }
  say("Building the Worker, which takes about a minute the first time.");
  const { code } = await run(builder, ["--release"], { env, cwd: folder });
  if (code) {
    if (process.env.WRANGLER_COMMAND === "dev" && outputs.every(existsSync)) {
      return say("The Worker could not be built. The last good build is served until the compiler errors above are fixed.");
    }
    throw new Stop("The Worker could not be built. Fix the compiler errors above, then build again.");
  }
  // worker-build keeps the names of all functions, a quarter of the upload.
  const wasm = join(built, "index_bg.wasm");
  const stripped = await run(env.WASM_OPT_BIN, [wasm, "--strip-debug", "--strip-producers", "--output", wasm], { env });
  if (stripped.code) throw new Stop("wasm-opt could not finish the Worker. Read its message above, then build again.");
  writeFileSync(note, wanted);
  say(`The Worker was built in ${seconds(Date.now() - started)}.`);
}

await script(import.meta.url, () => build());
