// The programs of one test run, as `npm test` starts them: where they are is in the environment.

import { fileURLToPath } from "node:url";
import { django, jsDoor, rustDoor } from "./drivers.mjs";
import { write } from "./lines.mjs";

const { DJANGO_PYTHON, DJANGO_DRIVER } = process.env;

if (!DJANGO_PYTHON || !DJANGO_DRIVER) throw new Error("These tests are run by `npm run test:django`, which sets up Django and builds the doors.");

const dist = fileURLToPath(new URL("../../dist/node.js", import.meta.url));

/** Django, and the doors. */
export function start() {
  const reference = django(DJANGO_PYTHON);
  const doors = { JavaScript: jsDoor(dist), Rust: rustDoor(DJANGO_DRIVER) };
  const stop = () => [reference, ...Object.values(doors)].forEach((one) => one.stop());
  return { reference, doors, stop };
}

/** A mismatch, to read: what was asked, and what each answered at the end. */
export function told({ door, seed, sequence, at, django: theirs, expected, ours }) {
  const { steps, ...rest } = sequence;
  return [
    `${door} is not Django${seed === undefined ? "" : ` (seed ${seed})`}: ${write(rest)}`,
    ...steps.map((step, index) => `${index === at ? "→" : " "} ${write(step)}`),
    `Django ${write(theirs)}`,
    `due    ${write(expected)}`,
    `${door} ${write(ours)}`,
  ].join("\n");
}
