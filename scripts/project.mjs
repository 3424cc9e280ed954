// Paths of the project, versions from the lock files, and the environment of child processes.

import { accessSync, constants, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Stop } from "./print.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
export const bin = join(root, "node_modules", ".bin");

/** Shared by all clones on this machine. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "edge-session");

export const read = (...path) => readFileSync(join(root, ...path), "utf8");

/** The version of a crate that a Cargo.lock names: the repository's, or that of another folder in it. */
export function locked(crate, folder = ".") {
  const file = join(folder, "Cargo.lock");
  const entry = read(file).match(new RegExp(`name = "${crate}"\nversion = "(.+)"`));
  if (!entry) throw new Stop(`${file} does not name the crate ${crate}. Restore it with \`git checkout ${file}\`.`);
  return entry[1];
}

/** The toolchain in rust-toolchain.toml. */
export function toolchain() {
  const list = (text = "") => [...text.matchAll(/"(.+?)"/g)].map(([, item]) => item);
  const file = read("rust-toolchain.toml");
  return {
    channel: file.match(/^channel = "(.+)"/m)?.[1],
    targets: list(file.match(/^targets = \[(.*?)\]/ms)?.[1]),
    components: list(file.match(/^components = \[(.*?)\]/ms)?.[1]),
  };
}

/** The path of a program in the first of the given folders, by default those of PATH, that has it. */
export function find(program, folders = (process.env.PATH ?? "").split(delimiter)) {
  return folders.map((folder) => join(folder, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Node 24 and wrangler are first in PATH; wrangler sends no statistics, and neither prompts nor fetches. */
export const environment = () => ({
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  ...(process.stdout.isTTY || process.env.FORCE_COLOR ? {} : { NO_COLOR: "1" }),
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`,
});

/** Removes the paths of this machine from panic messages: they are private, and differ between builds. */
export const nameless = [[root, "edge-session"], [process.env.CARGO_HOME || join(homedir(), ".cargo"), "cargo"]]
  .map(([path, name]) => `--remap-path-prefix=${path}=${name}`)
  .join(" ");
