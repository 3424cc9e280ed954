// The tools that cargo builds: their versions and paths. They are separate from the user's own,
// in a folder for each version that all clones share. A tool of the same version in PATH is used instead.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { Stop } from "./print.mjs";
import { cache, find, locked, read } from "./project.mjs";

/** By name: the crate and its version, or `source`, the crate's folder in this repository. The first of its programs is the tool itself. */
export const tools = {
  "wasm-bindgen": {
    crate: "edge-session-wasm-bindgen",
    source: "scripts/wasm-bindgen",
    version: bindgenVersion,
    programs: ["edge-session-wasm-bindgen"],
    takes: "half a minute",
  },
  "wasm-bindgen-cli": {
    crate: "wasm-bindgen-cli",
    version: () => locked("wasm-bindgen"),
    programs: ["wasm-bindgen", "wasm-bindgen-test-runner"],
    takes: "about 1 minute",
  },
  "wasm-pack": {
    crate: "wasm-pack",
    version: () => "0.15.1",
    programs: ["wasm-pack"],
    takes: "about 3 minutes",
  },
  "cargo-fuzz": {
    crate: "cargo-fuzz",
    version: () => "0.13.2",
    programs: ["cargo-fuzz"],
    takes: "about 1 minute",
  },
};

/** The version of wasm-bindgen, and a digest of the program around it. */
function bindgenVersion() {
  const { source } = tools["wasm-bindgen"];
  const [wanted, present] = [locked("wasm-bindgen"), locked("wasm-bindgen-cli-support", source)];
  if (present !== wanted) {
    throw new Stop(
      `${source}/Cargo.lock names wasm-bindgen ${present}, Cargo.lock ${wanted}. Put ${wanted} into ${source}/Cargo.toml, then run ` +
        `\`cargo update --manifest-path ${source}/Cargo.toml\`.`,
    );
  }
  const digest = createHash("sha256");
  for (const file of ["Cargo.toml", "Cargo.lock", "src/main.rs"]) digest.update(read(source, file));
  return `${wanted}-${digest.digest("hex").slice(0, 8)}`;
}

/** The folder into which cargo installs a tool; its programs are in `bin`. */
export function home(name) {
  const { crate, version } = tools[name];
  return join(cache, "tools", `${crate}@${version()}`);
}

/** The folder with the tool's programs, or undefined if they are not installed. */
export function folder(name) {
  const { programs } = tools[name];
  const own = join(home(name), "bin");
  if (programs.every((program) => find(program, [own]))) return own;
  const other = find(programs[0]);
  if (other && hasVersion(other, tools[name].version()) && programs.every((program) => find(program, [dirname(other)]))) {
    return dirname(other);
  }
}

/** The path of the tool's program, or undefined. */
export function program(name) {
  const place = folder(name);
  return place && join(place, tools[name].programs[0]);
}

function hasVersion(program, version) {
  return versionOf(program).split(/\s+/).includes(version);
}

function versionOf(program) {
  try {
    return execFileSync(program, ["--version"], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}

/** The compiler of fuzz targets: coverage needs a nightly one. */
export const nightly = { RUSTUP_TOOLCHAIN: "nightly" };

/** The oldest Node that the npm package supports: the version that set-up installs, and its folder. */
export const oldNode = { version: "20.20.2", home: join(cache, "tools", "node@20.20.2") };

/** The path of a Node 20: one on the path, or the one that set-up has installed. */
export function node20() {
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(oldNode.home, "node_modules", ".bin")];
  return folders.map((folder) => find("node", [folder])).find((path) => path && versionOf(path).startsWith("v20."));
}

/** The Python that has the Django of tests/django/requirements.txt, in an environment of its own that all clones share. */
export const django = { home: join(cache, "tools", `django@${read("tests/django/requirements.txt").match(/^Django==(\S+)/m)[1]}`) };

/** The path of that Python, or undefined if it is not installed. */
export function python() {
  const same = () => readFileSync(join(django.home, "requirements.txt"), "utf8") === read("tests/django/requirements.txt");
  const program = find("python", [join(django.home, "bin")]);
  return program && existsSync(join(django.home, "requirements.txt")) && same() ? program : undefined;
}

/** Chromium and the driver through which tests steer it: `CHROME` and `CHROMEDRIVER`, or the first found on this machine. */
export function browser() {
  const first = (names) => names.map((name) => find(name)).find(Boolean);
  const mac = ["/Applications/Google Chrome.app/Contents/MacOS", "/Applications/Chromium.app/Contents/MacOS"];
  const chrome = process.env.CHROME
    || first(["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
    || find("Google Chrome", mac) || find("Chromium", mac);
  const driver = process.env.CHROMEDRIVER || first(["chromedriver", "chromium.chromedriver"]);
  if (chrome && driver) return { chrome, driver };
}
