// Sets up, builds and serves the Worker on this machine. PORT chooses the port, SESSION_ENGINE the engine; further
// arguments go to `wrangler dev`. Sessions are kept in .wrangler/state and survive a restart.

import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "./build.mjs";
import { chooseEngine } from "./engine.mjs";
import { Stop, say, script, seconds } from "./print.mjs";
import { run } from "./run.mjs";
import { missingOf, needs, setUp } from "./setup.mjs";

async function start(flags) {
  const began = Date.now();
  const port = Number(process.env.PORT || 8787);
  if (!(port > 0 && port < 65536)) throw new Stop(`PORT=${process.env.PORT} is not a valid port. Choose one with \`PORT=8788 npm start\`.`);
  if (!(await free(port))) {
    throw new Stop(`Port ${port} is taken by another program. Choose another one with \`PORT=${port + 1} npm start\`.`);
  }
  if ((await missingOf(["wasm-bindgen"])).length) say("The first start installs and compiles what it needs, which takes about 2 minutes.");
  await setUp(needs.start);
  await build();
  const engine = await chooseEngine(flags);
  say("Starting wrangler, which takes a few seconds.");

  process.exitCode = 0; // a signal is the regular end
  if (process.channel) process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
  const served = run("wrangler", ["dev", "--ip", "localhost", "--port", String(port), "--show-interactive-dev-session=false", ...engine, ...flags]);
  const url = `http://localhost:${port}`;
  announce(url, began);
  const { code } = await served;
  process.exitCode = 1;
  throw new Stop(`wrangler ended by itself (code ${code}). Read its message above, then run \`npm start\` again.`);
}

/** Reports that the Worker is serving once it responds. */
async function announce(url, began) {
  const answers = () => fetch(`${url}/session`, { signal: AbortSignal.timeout(10_000) }).then((response) => response.arrayBuffer());
  while (!(await answers().then(() => true, () => false))) await sleep(100);
  say(`edge-session is serving at ${url} after ${seconds(Date.now() - began)}. Press Ctrl-C to stop it.`);
  process.send?.({ url });
}

/** Returns whether the port is free, by IPv4 and by IPv6. */
async function free(port) {
  const listens = (host) => new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code }) => resolve(code !== "EADDRINUSE" && code !== "EACCES"));
    server.listen({ port, host }, () => server.close(() => resolve(true)));
  });
  return (await listens("127.0.0.1")) && (await listens("::1"));
}

await script(import.meta.url, start);
