// H3, H6, H10: some hundred rounds of what the fuzzing of JavaScript does for as long as one likes: always the same ones.

import { test } from "node:test";
import { chance } from "../django/random.mjs";
import { worlds } from "../../fuzz/javascript/world.mjs";

for (const [name, round] of Object.entries(worlds)) {
  test(`${name}, by chance: well, or an error of this package`, async () => {
    for (let seed = 1; seed <= 300; seed++) await round(chance(seed));
  });
}
