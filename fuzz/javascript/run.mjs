// Values and options by chance, for some seconds: `node run.mjs --seconds 20 --seed 7`. A round that fails says with which seed
// it fails again.

import { parseArgs } from "node:util";
import { chance } from "../../tests/django/random.mjs";
import { worlds } from "./world.mjs";

const options = { seconds: { type: "string", default: "20" }, seed: { type: "string", default: "1" }, world: { type: "string", multiple: true, default: Object.keys(worlds) } };
const { values } = parseArgs({ options });
const end = Date.now() + Number(values.seconds) * 1000;
let seed = Number(values.seed);
let rounds = 0;
while (Date.now() < end) {
  for (const name of values.world) {
    try {
      await worlds[name](chance(seed));
    } catch (error) {
      console.log(`FAILED ${name} with --seed ${seed}: ${error.stack}`);
      process.exit(1);
    }
    rounds++;
  }
  seed++;
}
console.log(`passed javascript: ${rounds} rounds in ${values.seconds} seconds`);
