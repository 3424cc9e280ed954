// Sets this machine up to build, serve and test the Worker. Parts that are ready are skipped, so that another run
// is fast. `node scripts/setup.mjs` sets everything up, `node scripts/setup.mjs start` the parts for serving.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Stop, say, script } from "./print.mjs";
import { bin, cache, find, read, root, toolchain } from "./project.mjs";
import { run } from "./run.mjs";
import { browser, django, folder, home, nightly, node20, oldNode, python, tools } from "./tools.mjs";

const target = join(cache, "tools", ".target");

/** The parts: whether each is ready, and how to install it. */
const parts = {
  packages: npmPackages("npm packages", "half a minute"),
  peers: npmPackages("the libraries that edge-session is measured against", "half a minute", "tests/bench"),
  frameworks: npmPackages("the frameworks in which the package is tested", "2 minutes", "tests/packages/frameworks"),
  rust: {
    title: "Rust",
    takes: "about 1 minute",
    ready: async () => (await missingInRust()).length === 0,
    async install() {
      if (!find("cargo")) throw new Stop("Rust is missing. Install it from https://rustup.rs, then start again.");
      const missing = await missingInRust();
      if (!find("rustup")) {
        throw new Stop(`This Rust lacks ${missing.join(" and ")}. Install Rust from https://rustup.rs, then start again.`);
      }
      const { channel, targets, components } = toolchain();
      if (missing.includes("rustc")) await rustup("toolchain", "install", channel, "--profile", "minimal", "--no-self-update");
      const lacking = (names) => names.filter((name) => missing.includes(name));
      if (lacking(targets).length) await rustup("target", "add", "--toolchain", channel, ...lacking(targets));
      if (lacking(components).length) await rustup("component", "add", "--toolchain", channel, ...lacking(components));
    },
  },
  "wasm-bindgen": cargoTool("wasm-bindgen"),
  "wasm-bindgen-cli": cargoTool("wasm-bindgen-cli"),
  "wasm-pack": cargoTool("wasm-pack"),
  "cargo-fuzz": cargoTool("cargo-fuzz"),
  nightly: {
    title: "a nightly Rust",
    takes: "about 1 minute",
    ready: async () => (await run("rustc", ["--version"], { quiet: true, env: nightly })).code === 0,
    async install() {
      if (!find("rustup")) throw new Stop("Fuzzing needs a nightly Rust. Install Rust from https://rustup.rs, then start again.");
      await rustup("toolchain", "install", nightly.RUSTUP_TOOLCHAIN, "--profile", "minimal", "--no-self-update");
    },
  },
  browser: {
    title: "Chromium and its driver",
    takes: "a moment",
    ready: () => browser() !== undefined,
    async install() {
      throw new Stop(
        "Chromium and chromedriver are missing; the tests need them. On Debian and Ubuntu install them with " +
          "`sudo apt-get install chromium chromium-driver`; elsewhere set CHROME and CHROMEDRIVER to their paths.",
      );
    },
  },
  node20: {
    title: "Node 20",
    takes: "a moment",
    npm: true,
    ready: () => node20() !== undefined,
    async install() {
      mkdirSync(oldNode.home, { recursive: true });
      const manifest = { private: true, dependencies: { node: oldNode.version }, allowScripts: { node: true } };
      writeFileSync(join(oldNode.home, "package.json"), JSON.stringify(manifest));
      const { code } = await run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: oldNode.home });
      if (code) throw new Stop("npm could not install Node 20. Read its message above, then start again.");
    },
  },
  django: {
    title: "Django",
    takes: "a moment",
    ready: () => python() !== undefined,
    async install() {
      rmSync(django.home, { recursive: true, force: true });
      const made = find("python3") ? await run("python3", ["-m", "venv", django.home], { quiet: true }) : { code: 127, output: "" };
      if (made.code) {
        throw new Stop(
          `${made.output}Python 3.10 or newer with its module venv is missing; the tests against Django need it. On Debian and Ubuntu ` +
            "install it with `sudo apt-get install python3-venv`, then start again.",
        );
      }
      const file = join("tests", "django", "requirements.txt");
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement", file];
      const { code } = await run(join(django.home, "bin", "python"), pip);
      if (code) throw new Stop("pip could not install Django. Read its message above, then start again.");
      writeFileSync(join(django.home, "requirements.txt"), read(file)); // the last step, so that an interrupted installation is repeated
    },
  },
  secret: {
    title: ".dev.vars",
    takes: "a moment",
    ready: () => existsSync(join(root, ".dev.vars")),
    async install() {
      const text = "# The secret of this clone, for development only. Deleting this file ends every session that it signed.\n"
        + `SESSION_SECRET="${randomBytes(32).toString("base64url")}"\n`;
      writeFileSync(join(root, ".dev.vars"), text, { mode: 0o600, flag: "wx" });
    },
  },
};

const build = ["packages", "rust", "wasm-bindgen"];

/** The parts that only `npm run bench` and the long tests need. */
const seldom = ["peers", "frameworks", "nightly", "cargo-fuzz"];

/** The parts that each command needs. */
export const needs = {
  build,
  start: [...build, "secret"],
  lint: ["packages", "rust"],
  native: ["rust"],
  simulation: ["rust"],
  ablation: ["rust"],
  package: ["packages", "rust", "wasm-bindgen"],
  node: ["packages", "rust", "wasm-bindgen"],
  browser: ["browser", "rust", "wasm-bindgen-cli", "wasm-pack"],
  workerd: [...build, "secret"],
  e2e: ["browser", ...build, "secret"],
  engines: ["browser", ...build, "secret"],
  packages: ["browser", "packages", "node20", "rust", "wasm-bindgen"],
  frameworks: ["browser", "packages", "frameworks", "rust", "wasm-bindgen"],
  django: ["packages", "rust", "wasm-bindgen", "django"],
  faults: ["packages", "rust", "wasm-bindgen", "django"],
  fuzz: ["packages", "rust", "wasm-bindgen", "nightly", "cargo-fuzz"],
  reproduced: ["packages", "rust", "wasm-bindgen"],
  peers: ["packages", "peers"],
  all: Object.keys(parts).filter((name) => !seldom.includes(name)),
};

/** Makes the named parts ready. */
export async function setUp(names) {
  const missing = await missingOf(names);
  if (missing.length) await alone(() => install(missing));
  say(`Set-up is complete: ${names.map((name) => parts[name].title).join(", ")}.`);
}

/** Those of the named parts that are not ready. */
export async function missingOf(names) {
  const missing = [];
  for (const name of names) if (!(await parts[name].ready())) missing.push(name);
  return missing;
}

/** Installs the named parts: those of npm, which mostly wait for the network, beside those that are compiled. */
async function install(names) {
  const [npm, others] = [true, false].map((wanted) => names.filter((name) => Boolean(parts[name].npm) === wanted));
  const outcomes = await Promise.allSettled([installInTurn(npm), installInTurn(others)]);
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
  rmSync(target, { recursive: true, force: true });
}

async function installInTurn(names) {
  for (const name of names) {
    const part = parts[name];
    if (await part.ready()) continue; // installed by another set-up meanwhile
    say(`Setting up ${part.title}, which takes ${part.takes}.`);
    await part.install();
    if (!(await part.ready())) throw new Stop(`${part.title} could not be set up. Read the messages above, then start again.`);
  }
}

/** Runs `work` while no other set-up of this user runs. */
async function alone(work) {
  const lock = join(cache, "setup.lock");
  mkdirSync(cache, { recursive: true });
  for (let waiting = false; ; await sleep(500)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      if (!holds(lock)) rmSync(lock, { force: true });
      else if (!waiting) say("Another set-up is running; waiting for it to end.");
      waiting = true;
    }
  }
  const unlock = () => rmSync(lock, { force: true });
  process.once("exit", unlock);
  try {
    return await work();
  } finally {
    process.off("exit", unlock);
    unlock();
  }
}

function holds(lock) {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** The packages in the package-lock.json of a folder. */
function npmPackages(title, takes, folder = ".") {
  return {
    title,
    takes,
    npm: true,
    ready: () => existsSync(join(bin, "node")) && installed(folder),
    async install() {
      const { code } = await run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: join(root, folder) });
      if (code) throw new Stop("npm could not install the packages. Read its message above, then start again.");
    },
  };
}

/** Returns whether node_modules has the packages of package-lock.json, by npm's list of installed packages. */
function installed(folder) {
  try {
    const wanted = JSON.parse(read(folder, "package-lock.json")).packages;
    const present = JSON.parse(read(folder, "node_modules", ".package-lock.json")).packages;
    const same = (path) => present[path].version === wanted[path]?.version && present[path].integrity === wanted[path].integrity;
    return Object.keys(present).every(same)
      && Object.keys(wanted).every((path) => path === "" || present[path] || wanted[path].optional);
  } catch {
    return false;
  }
}

/** The missing parts of rust-toolchain.toml: all of them if the toolchain itself is missing. */
async function missingInRust() {
  const { targets, components } = toolchain();
  const { code, output } = await run("rustc", ["--print", "sysroot"], { quiet: true });
  if (code) return ["rustc", ...targets, ...components];
  const sysroot = output.trim().split("\n").at(-1);
  const programs = { clippy: "cargo-clippy", rustfmt: "rustfmt" };
  return [
    ...targets.filter((name) => !existsSync(join(sysroot, "lib", "rustlib", name, "lib"))),
    ...components.filter((name) => programs[name] && !find(programs[name], [join(sysroot, "bin")])),
  ];
}

async function rustup(...args) {
  const { code } = await run("rustup", args);
  if (code) throw new Stop(`\`rustup ${args.join(" ")}\` failed. Read its message above, then start again.`);
}

/** Without optimisation the tools compile in a third of the time, and are still fast enough. */
const unoptimised = {
  CARGO_PROFILE_RELEASE_OPT_LEVEL: "0",
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "256",
  CARGO_PROFILE_RELEASE_LTO: "off",
  CARGO_PROFILE_RELEASE_DEBUG: "0",
  CARGO_PROFILE_RELEASE_STRIP: "symbols",
};

/** A tool that cargo builds. The tools of one set-up share their target folder, so that common dependencies are compiled once. */
function cargoTool(name) {
  const { crate, version, source, takes } = tools[name];
  return {
    title: name,
    takes,
    ready: () => folder(name) !== undefined,
    async install() {
      const wanted = source ? ["--path", join(root, source), "--locked"] : [`${crate}@${version()}`];
      const { code } = await run("cargo", ["install", ...wanted, "--root", home(name), "--force"], {
        cwd: cache, // away from this crate's own cargo settings
        env: { CARGO_TARGET_DIR: target, RUSTUP_TOOLCHAIN: toolchain().channel, ...unoptimised },
      });
      if (code) {
        throw new Stop(
          `cargo could not install ${name}. If it lacks a C compiler or OpenSSL, install them (on Debian and Ubuntu ` +
            "`sudo apt-get install build-essential pkg-config libssl-dev`), then start again.",
        );
      }
    },
  };
}

await script(import.meta.url, async ([what = "all"]) => {
  if (!needs[what]) throw new Stop(`There is no set-up called ${what}. Choose one of ${Object.keys(needs).join(", ")}.`);
  await setUp(needs[what]);
});
