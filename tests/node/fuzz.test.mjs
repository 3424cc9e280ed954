// H3, H6, H10: some hundred rounds of the JavaScript fuzzing, with fixed seeds.

import { test } from "node:test";
import { chance } from "../django/random.mjs";
import { rounds } from "../../fuzz/javascript/rounds.mjs";

for (const [name, round] of Object.entries(rounds)) {
  test(`${name}, with random input: succeeds, or fails with an error of this package`, async () => {
    for (let seed = 1; seed <= 300; seed++) await round(chance(seed));
  });
}
