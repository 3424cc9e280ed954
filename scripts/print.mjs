// What these scripts say, and how they end. Plain sentences on standard output; an end that the user can do something about
// is a `Stop`, whose message says what happened and what to do next.

import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

export class Stop extends Error {}

let output = process.stdout;

export function say(text) {
  output.write(`${text}\n`);
}

/** From here on, everything goes to standard error: standard output is for a document. */
export function aside() {
  output = process.stderr;
}

/** Where sentences go, for programs that say something themselves. */
export const outlet = () => output.fd;

export function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Runs `work` if the module at `url` is the script that was started, not one that another script imports. */
export async function script(url, work) {
  if (!process.argv[1] || realpathSync(process.argv[1]) !== fileURLToPath(url)) return;
  try {
    await work(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
