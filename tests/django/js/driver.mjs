// The driver of the built npm package: reads one sequence of calls in each line, and writes its answers in one line.

import { linesOf, write } from "../lines.mjs";
import { answerSigning } from "./signing.mjs";
import { Replay } from "./replay.mjs";

const implementation = await import(process.argv[2]);

for await (const line of linesOf(process.stdin)) {
  const sequence = JSON.parse(line);
  let answer;
  try {
    answer = { answers: sequence.signing ? await answerSigning(implementation, sequence) : await answers(sequence) };
  } catch (error) {
    answer = { broken: error.stack };
  }
  process.stdout.write(`${write(answer)}\n`);
}

async function answers(sequence) {
  const replay = new Replay(implementation, sequence);
  const answers = [];
  // A copy, because later steps may change the values of an answer.
  for (const step of sequence.steps) answers.push(JSON.parse(write(await replay.answer(step))));
  return answers;
}
