// The engine that `npm start` serves: the value of SESSION_ENGINE in the environment, and its bindings from wrangler.toml.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop, say } from "./print.mjs";
import { read, root } from "./project.mjs";
import { run } from "./run.mjs";

/** Each engine, and whether it has bindings that are comments in wrangler.toml. */
const engines = { kv: false, durable_object: true, d1: true, memory: false, cookie: false };

/**
 * Prepares the engine that the environment selects. Returns the flags for `wrangler dev`, whose other flags are `flags`; none if the
 * environment selects no engine.
 */
export async function chooseEngine(flags) {
  const engine = process.env.SESSION_ENGINE;
  if (!engine) return [];
  if (!Object.hasOwn(engines, engine)) {
    throw new Stop(`SESSION_ENGINE=${engine} is not an engine. Choose one of ${Object.keys(engines).join(", ")}.`);
  }
  const chosen = ["--var", `SESSION_ENGINE:${engine}`];
  if (!engines[engine]) return chosen;
  const file = `wrangler.${engine}.toml`;
  writeFileSync(join(root, file), configured(engine));
  say(`The engine is ${engine}. ${file}, which wrangler reads, is wrangler.toml with the bindings of this engine.`);
  if (engine === "d1") await migrate(file, flags);
  return [...chosen, "--config", file];
}

/** Returns wrangler.toml without the # before the bindings of an engine. */
function configured(engine) {
  const text = read("wrangler.toml");
  const [section] = text.match(new RegExp(`^# Engine ${engine}: [^]*?\\n(?=\\n(# Engine|\\[assets))`, "m")) ?? [];
  if (!section) throw new Stop(`wrangler.toml has no section "# Engine ${engine}: …". Restore it with \`git checkout wrangler.toml\`.`);
  return text.replace(section, section.replace(/^# (?=\[\[|\w+ = )/gm, ""));
}

/** Creates the table in the local database, if it has none. */
async function migrate(file, flags) {
  const state = flags.indexOf("--persist-to");
  const place = state < 0 ? [] : flags.slice(state, state + 2);
  const args = ["d1", "migrations", "apply", "SESSION_DB", "--local", "--config", file, ...place];
  const { code, output } = await run("wrangler", args, { quiet: true, env: { CI: "1" } });
  if (code) throw new Stop(`${output}\nThe migrations of the local D1 database failed. Fix the error above, then start again.`);
  say("The local D1 database has the table of the sessions.");
}
