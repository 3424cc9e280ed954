// Serves the real Worker for a test, by way of scripts/start.mjs, on a free port and with a state folder of its own.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const start = fileURLToPath(new URL("../../scripts/start.mjs", import.meta.url));

/**
 * Starts a server and gives `{ url, state, output(), stop(), restart() }` once it answers. `vars` go into the Worker's
 * environment, `flags` to wrangler, and `state` is a folder that another server has left, if its sessions are to be found again.
 */
export async function serve({ vars = {}, flags = [], state, port, own = state === undefined } = {}) {
  state ??= await mkdtemp(join(tmpdir(), "edge-session-state-"));
  port ??= await freePort();

  const settings = Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const child = fork(start, ["--persist-to", state, ...settings, ...flags], {
    env: { ...process.env, PORT: String(port) },
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
    /** Ends the server, and deletes its sessions unless they are another server's. */
    async stop() {
      await end("SIGTERM");
      if (own) await rm(state, { recursive: true, force: true });
    },
    /** Ends the server and serves the same sessions on the same port again, with other settings if wanted. */
    async restart(changes = {}) {
      await end("SIGTERM");
      return serve({ vars, flags, ...changes, state, port, own });
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
