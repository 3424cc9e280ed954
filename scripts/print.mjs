// Output and exit of these scripts. Plain sentences on standard output; an error that the user can fix
// is a `Stop`, whose message describes it and the next step.

import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

export class Stop extends Error {}

let output = process.stdout;

export function say(text) {
  output.write(`${text}\n`);
}

/** Sends all further output to standard error, because standard output is for a document. */
export function aside() {
  output = process.stderr;
}

/** The current output stream, for child processes. */
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
