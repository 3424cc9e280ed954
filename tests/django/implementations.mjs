// The programs that a test run compares: Django and both implementations. `npm test` sets their paths in the environment.

import { fileURLToPath } from "node:url";
import { django, javascriptDriver, rustDriver } from "./drivers.mjs";
import { write } from "./lines.mjs";

const { DJANGO_PYTHON, DJANGO_DRIVER } = process.env;

if (!DJANGO_PYTHON || !DJANGO_DRIVER) throw new Error("These tests are run by `npm run test:django`, which sets up Django and builds both implementations.");

const dist = fileURLToPath(new URL("../../dist/node.js", import.meta.url));

/** Starts Django and both implementations. */
export function start() {
  const reference = django(DJANGO_PYTHON);
  const implementations = { JavaScript: javascriptDriver(dist), Rust: rustDriver(DJANGO_DRIVER) };
  const stop = () => [reference, ...Object.values(implementations)].forEach((one) => one.stop());
  return { reference, implementations, stop };
}

/** Describes a mismatch: the calls, and the answers to the last one. */
export function describeMismatch({ implementation, seed, sequence, at, django: theirs, expected, ours }) {
  const { steps, ...rest } = sequence;
  return [
    `${implementation} differs from Django${seed === undefined ? "" : ` (seed ${seed})`}: ${write(rest)}`,
    ...steps.map((step, index) => `${index === at ? "→" : " "} ${write(step)}`),
    `Django ${write(theirs)}`,
    `expected ${write(expected)}`,
    `${implementation} ${write(ours)}`,
  ].join("\n");
}
