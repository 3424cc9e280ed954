// Compiles a crate to WebAssembly and generates its JavaScript: the steps that the Worker and the npm package have in common.

import { join } from "node:path";
import { Stop } from "./print.mjs";
import { nameless, root } from "./project.mjs";
import { run } from "./run.mjs";
import { program } from "./tools.mjs";

const triple = "wasm32-unknown-unknown";

/** What rustc's built-in optimizations assume. Anything newer would exclude older platforms. */
export const features = ["bulk-memory", "multivalue", "mutable-globals", "nontrapping-float-to-int", "reference-types", "sign-ext"]
  .map((name) => `--enable-${name}`);

/** The end of the stack is at the lowest addresses. So no address that is a negative number and a small offset is valid. */
export const assumptions = ["--low-memory-unused"];

/** The last pass. The functions of a module are beside each other, and gzip finds what they have in common. */
export const order = "--reorder-functions-by-name";

/**
 * For builds for size. A function with the attribute `inline` is inlined if it is as small as others: LLVM's own limit is six times as large,
 * also for those of the standard library. Computations are not copied into branches so that one path can skip them.
 */
const small = ["-inlinehint-threshold=50", "-enable-pre=false", "-enable-load-pre=false"].map((flag) => `-C llvm-args=${flag}`);

/**
 * Compiles the package `crate` with a cargo profile, and writes `<name>_bg.wasm` and `<name>.js` into `folder`. `target` is `worker` or
 * `package`: see scripts/wasm-bindgen.
 */
export async function compile({ crate, profile, target, name, folder, rustflags = [], env = {} }) {
  const flags = [process.env.RUSTFLAGS, nameless, ...small, ...rustflags].filter(Boolean).join(" ");
  const built = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  const args = ["build", "--package", crate, "--lib", "--profile", profile, "--target", triple, "--target-dir", built];
  await step("cargo", args, { env: { ...env, RUSTFLAGS: flags } });
  const compiled = join(built, triple, profile, `${crate.replaceAll("-", "_")}.wasm`);
  await step(program("wasm-bindgen"), [target, compiled, name, folder]);
}

/** Runs one program of a build and returns its output. */
export async function step(command, args, options) {
  const { code, output } = await run(command, args, options);
  if (code) throw new Stop(`The build failed in ${command.split("/").at(-1)}. Fix what it reports above, then build again.`);
  return output;
}
