// The JS door's answers: a sequence of calls a line in, its answers a line out. The package is the one that was built.

import { createInterface } from "node:readline";
import { write } from "../lines.mjs";
import { answerSigning } from "./signing.mjs";
import { World } from "./world.mjs";

const door = await import(process.argv[2]);

for await (const line of createInterface({ input: process.stdin })) {
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
  for (const step of sequence.steps) answers.push(await world.answer(step));
  return answers;
}
