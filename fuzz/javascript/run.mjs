// Random values and options for some seconds: `node run.mjs --seconds 20 --seed 7`. A round that fails prints the seed that
// repeats the failure.

import { parseArgs } from "node:util";
import { chance } from "../../tests/django/random.mjs";
import { rounds } from "./rounds.mjs";

const options = { seconds: { type: "string", default: "20" }, seed: { type: "string", default: "1" }, round: { type: "string", multiple: true, default: Object.keys(rounds) } };
const { values } = parseArgs({ options });
const end = Date.now() + Number(values.seconds) * 1000;
let seed = Number(values.seed);
let passed = 0;
while (Date.now() < end) {
  for (const name of values.round) {
    try {
      await rounds[name](chance(seed));
    } catch (error) {
      console.log(`FAILED ${name} with --seed ${seed}: ${error.stack}`);
      process.exit(1);
    }
    passed++;
  }
  seed++;
}
console.log(`passed javascript: ${passed} rounds in ${values.seconds} seconds`);
