// The three programs under comparison: Django, the built package, and the crate. Each reads one sequence in each line.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { linesOf, write } from "./lines.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A program that answers lines in order. */
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
  child.stdin.on("error", () => {}); // the exit handler reports it
  return {
    ask: (sequence) => new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${write(sequence)}\n`);
    }),
    stop: () => child.stdin.end(),
  };
}

export const django = (python) => driver(python, ["-B", here("reference/driver.py")]); // -B: writes no bytecode beside the sources
export const javascriptDriver = (dist) => driver(process.execPath, [here("js/driver.mjs"), dist]);
export const rustDriver = (program) => driver(program, []);
