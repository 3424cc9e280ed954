// Starts the child processes of these scripts. Each gets a process group of its own, so that its own children
// end with it. A signal to this process is passed on, and the process waits until all groups have ended.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { outlet } from "./print.mjs";
import { environment, root } from "./project.mjs";

const groups = new Set();
let stopping = false;

/**
 * Runs a program to its end and returns `{ code, output }`. By default its output is shown at once; `keep` also collects
 * it, `quiet` only collects it. `limit` is its time limit in seconds. It reads `input`; with `terminal` it talks with
 * the user instead, for which it shares this process's group. `started` is called with its process id.
 */
export function run(program, args = [], { env = {}, cwd = root, keep, quiet, limit, input, terminal, started } = {}) {
  return new Promise((resolve) => {
    const output = [];
    const pipes = keep || quiet ? ["pipe", "pipe"] : [outlet(), "inherit"];
    const child = spawn(program, args, {
      cwd,
      env: { ...environment(), ...env },
      detached: !terminal,
      stdio: [terminal ? "inherit" : input ? "pipe" : "ignore", ...pipes],
    });
    child.stdin?.end(input);
    if (child.pid && !terminal) groups.add(child.pid);
    if (child.pid) started?.(child.pid);
    for (const name of ["stdout", "stderr"]) {
      child[name]?.on("data", (chunk) => {
        output.push(chunk);
        if (!quiet) process[name].write(chunk);
      });
    }
    const end = (code, note = "") => {
      clearTimeout(timer);
      if (groups.has(child.pid)) signal(child.pid, "SIGKILL"); // its remaining children
      groups.delete(child.pid);
      if (!stopping) resolve({ code, output: Buffer.concat(output).toString() + note });
    };
    const timer = limit && setTimeout(() => {
      process.stderr.write(`\n${program} was stopped: it took more than ${limit} seconds.\n`);
      signal(child.pid, "SIGKILL");
    }, limit * 1000);
    child.on("error", (error) => end(127, error.message));
    child.on("close", (code, name) => end(code ?? 128 + constants.signals[name]));
  });
}

function signal(group, name) {
  try {
    return process.kill(-group, name);
  } catch {
    return false; // the group is empty
  }
}

async function stop(name) {
  if (stopping) return;
  stopping = true;
  groups.forEach((group) => signal(group, name));
  for (let waited = 0; groups.size && waited < 5000; waited += 50) await sleep(50);
  process.exit(process.exitCode ?? 128 + constants.signals[name]);
}

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => stop(name));
process.on("exit", () => groups.forEach((group) => signal(group, "SIGKILL")));
