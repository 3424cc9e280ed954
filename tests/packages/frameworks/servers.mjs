// The packed package in the projects of this folder, and their servers.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { environment, root } from "../../../scripts/project.mjs";
import { succeed } from "../installed.mjs";

export const folder = fileURLToPath(new URL(".", import.meta.url));

/** Nitro 3, by its path: the Nitro 2 of Nuxt has a program of the same name. */
export const nitro = join(folder, "node_modules/nitro/dist/cli/index.mjs");

/** Puts the packed package into node_modules, once for all tests of this process. */
export async function install() {
  const scratch = mkdtempSync(join(tmpdir(), "edge-session-frameworks-"));
  await succeed("npm", ["pack", "--pack-destination", scratch], { cwd: join(root, "dist") });
  const [tarball] = readdirSync(scratch);
  const place = join(folder, "node_modules", "edge-session");
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  await succeed("tar", ["-xzf", join(scratch, tarball), "--strip-components=1", "-C", place]);
  rmSync(scratch, { recursive: true, force: true });
}

/** Runs a program of node_modules, to its end, in a project. */
export const build = (project, program, ...args) => buildWith({}, project, program, ...args);

/** As `build`, with variables of the environment. */
export const buildWith = (env, project, program, ...args) => succeed(programOf(program), args, { cwd: join(folder, project), env, limit: 300 });

/** Checks the types of a project. By its path, since the versions of TypeScript in types.test.mjs have a program of the same name. */
export function checkTypes(project) {
  return build(project, "node", join(folder, "node_modules/typescript/bin/tsc"), "--project", "tsconfig.json");
}

/** Starts a server in a project, on the port that `args` gets, and waits until it answers. Returns its URL, its output, and how to stop it. */
export async function start(project, program, args, env = {}) {
  const port = await freePort();
  const child = spawn(programOf(program), args(String(port)), {
    cwd: join(folder, project),
    env: { ...environment(), ...env, PORT: String(port), HOST: "localhost" },
    detached: true,
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
  const text = () => Buffer.concat(output).toString();
  const closed = once(child, "close");
  const stop = async () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {} // it has ended already
    await closed;
  };
  const url = `http://localhost:${port}`;
  for (const began = Date.now(); ; await sleep(100)) {
    const answer = await fetch(`${url}/missing`).catch(() => undefined);
    if (answer && (await answer.arrayBuffer())) return { url, output: text, stop };
    if (child.exitCode !== null || Date.now() - began > 90_000) {
      await stop();
      throw new Error(`${program} in ${project} does not answer:\n${text()}`);
    }
  }
}

function programOf(name) {
  const local = join(folder, "node_modules", ".bin", name);
  return existsSync(local) ? local : name;
}

async function freePort() {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
