// The three programs that answer: Django, the built package, and the crate. Each reads a sequence a line.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { linesOf, write } from "./lines.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A program that answers lines in their order. */
export function driver(program, args) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const waiting = [];
  const end = (error) => waiting.splice(0).forEach(({ reject }) => reject(error));
  const read = async () => {
    for await (const line of linesOf(child.stdout)) {
      const { resolve, reject } = waiting.shift();
      const { answers, broken } = JSON.parse(line);
      if (broken) reject(new Error(`${program}: ${broken}`));
      else resolve(answers);
    }
  };
  read().catch(end);
  child.on("error", end);
  child.on("exit", (code) => end(new Error(`${program} ended with ${code}`)));
  child.stdin.on("error", () => {}); // it ended: that is told above
  return {
    ask: (sequence) => new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${write(sequence)}\n`);
    }),
    stop: () => child.stdin.end(),
  };
}

export const django = (python) => driver(python, ["-B", here("reference/driver.py")]); // -B: nothing is left beside the sources
export const jsDoor = (dist) => driver(process.execPath, [here("js/driver.mjs"), dist]);
export const rustDoor = (program) => driver(program, []);
