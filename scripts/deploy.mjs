// Deploys the Worker, and sets a random secret after the first deployment. Arguments are passed to `wrangler deploy`;
// with arguments, no secret is set.

import { randomBytes } from "node:crypto";
import { Stop, say, script } from "./print.mjs";
import { run } from "./run.mjs";
import { needs, setUp } from "./setup.mjs";

async function deploy(flags) {
  await setUp(needs.build);
  const { code } = await run("wrangler", ["deploy", ...flags], { terminal: true });
  if (code) throw new Stop("The Worker was not deployed. Read wrangler's message above, then run `npm run deploy` again.");
  if (flags.length === 0) await secure();
}

/** Sets SESSION_SECRET if the Worker has none. An existing one stays: another one would end every session. */
async function secure() {
  const { code, output } = await run("wrangler", ["secret", "list", "--format", "json"], { quiet: true });
  if (code) throw new Stop(`${output}\nIt is not known whether SESSION_SECRET is set. Look with \`npx wrangler secret list\`.`);
  if (/"name":\s*"SESSION_SECRET"/.test(output)) return;
  const put = await run("wrangler", ["secret", "put", "SESSION_SECRET"], { input: randomBytes(32).toString("base64url") });
  if (put.code) throw new Stop("SESSION_SECRET was not set. Set it with `npx wrangler secret put SESSION_SECRET`.");
  say("The Worker has a random SESSION_SECRET of its own, which is stored nowhere else.");
}

await script(import.meta.url, deploy);
