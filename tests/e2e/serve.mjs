// Serves the real Worker for a test with scripts/start.mjs, on a free port and with a state folder of its own.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const start = fileURLToPath(new URL("../../scripts/start.mjs", import.meta.url));

/**
 * Starts a server and returns `{ url, state, output(), stop(), restart() }` once it responds. `vars` go into the Worker's
 * environment, `flags` to wrangler, `engine` is the value of SESSION_ENGINE for the script, and `state` is the folder of an earlier server whose sessions are reused.
 */
export async function serve({ vars = {}, flags = [], engine = "", state, port, own = state === undefined } = {}) {
  state ??= await mkdtemp(join(tmpdir(), "edge-session-state-"));
  port ??= await freePort();

  const settings = Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const child = fork(start, ["--persist-to", state, ...settings, ...flags], {
    env: { ...process.env, PORT: String(port), SESSION_ENGINE: engine },
    execArgv: [],
    silent: true,
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
  const ended = once(child, "close");

  const end = async (signal) => {
    child.kill(signal);
    await ended;
  };
  const server = {
    url: `http://localhost:${port}`,
    state,
    output: () => Buffer.concat(output).toString(),
    /** Stops the server, and deletes its sessions unless they are another server's. */
    async stop() {
      await end("SIGTERM");
      if (own) await rm(state, { recursive: true, force: true });
    },
    /** Restarts the server on the same port with the same sessions, optionally with other settings. */
    async restart(changes = {}) {
      await end("SIGTERM");
      return serve({ vars, flags, engine, ...changes, state, port, own });
    },
  };

  const serving = await Promise.race([once(child, "message").then(() => true), ended.then(() => false)]);
  if (!serving) {
    throw new Error(`The server ended before it answered:\n${server.output()}`);
  }
  return server;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
