// The JS door's answers: a sequence of calls a line in, its answers a line out. The package is the one that was built.

import { linesOf, write } from "../lines.mjs";
import { answerSigning } from "./signing.mjs";
import { World } from "./world.mjs";

const door = await import(process.argv[2]);

for await (const line of linesOf(process.stdin)) {
  const sequence = JSON.parse(line);
  let answer;
  try {
    answer = { answers: sequence.signing ? await answerSigning(door, sequence) : await answers(sequence) };
  } catch (error) {
    answer = { broken: error.stack };
  }
  process.stdout.write(`${write(answer)}\n`);
}

async function answers(sequence) {
  const world = new World(door, sequence);
  const answers = [];
  // As it is now: later steps may change what an answer holds.
  for (const step of sequence.steps) answers.push(JSON.parse(write(await world.answer(step))));
  return answers;
}
