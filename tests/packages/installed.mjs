// The package as users install it: from the packed tarball, into a temporary folder to which the consumers are
// copied. Their other dependencies are those of this repository. Also serves a consumer's Worker with wrangler.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { environment, root } from "../../scripts/project.mjs";
import { run } from "../../scripts/run.mjs";

/** Runs a program to its end and returns its output. Throws the output if the program fails. */
export async function succeed(program, args, options) {
  const { code, output } = await run(program, args, { quiet: true, limit: 120, ...options });
  if (code) throw new Error(`${program} ${args.join(" ")} ended with ${code}:\n${output}`);
  return output;
}

/** Returns the folder, and the path of the tarball in it. */
export async function install({ consumers, examples, packages }) {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "edge-session-installed-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await succeed("npm", ["pack", "--pack-destination", folder], { cwd: join(root, "dist") });
  const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")));
  await succeed("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: folder });
  for (const name of packages) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "node_modules", name), link);
  }
  const projects = [...consumers.map((name) => ["tests/packages", name]), ...examples.map((name) => ["examples", name])];
  const filter = (path) => !/[/\\](node_modules|\.wrangler)$/.test(path);
  for (const [place, name] of projects) cpSync(join(root, place, name), join(folder, name), { recursive: true, filter });
  return { folder, tarball };
}

/**
 * Serves the Worker in `folder`, or the first Worker of several configurations, beside the others. Returns its URL, and a function that stops it.
 * The first Worker gets the variables of `env`, too.
 */
export async function serve(folder, configs = [], env = {}) {
  const flags = ["--ip", "localhost", "--port", "0", "--inspector-port", "0", "--show-interactive-dev-session=false"];
  for (const config of configs) flags.push("--config", config);
  const all = { SESSION_SECRET: "a secret of at least thirty-two bytes", ...env };
  const vars = Object.entries(all).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const child = spawn("wrangler", ["dev", ...flags, ...vars], { cwd: folder, env: environment() });
  const output = [];
  const url = await new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output.push(chunk);
        const [, address] = Buffer.concat(output).toString().match(/Ready on (http:\S+)\n/) ?? [];
        if (address) resolve(address);
      });
    }
    child.once("close", (code) => reject(new Error(`wrangler ended with ${code}:\n${Buffer.concat(output)}`)));
  });
  const stop = async () => {
    const closed = once(child, "close");
    child.kill("SIGTERM");
    await closed;
  };
  return { url, stop };
}
