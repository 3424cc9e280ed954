// The options of the benchmarks: what is wrong with one of them ends the program with the help.

import { parseArgs } from "node:util";
import { Stop } from "../../scripts/print.mjs";
import { usual } from "./clock.mjs";

const text = { type: "string" };
const flag = { type: "boolean" };

/** Those that every benchmark has. */
const common = { rounds: text, clock: text, build: { ...flag, default: true }, json: flag, help: flag };

/** Reads `args`: the common options with `rounds` as usual, those of `names`, which have texts, and what `more` makes of all. */
export function optionsOf(args, help, rounds, names = [], more = (values) => values) {
  try {
    const options = { ...common, ...Object.fromEntries(names.map((name) => [name, text])) };
    const { values } = parseArgs({ args, allowNegative: true, options });
    const [clock] = among([...new Set([usual, "wall"])], "clock", { clock: usual, ...values });
    return more({ ...values, clock, rounds: count("rounds", values.rounds ?? rounds) });
  } catch (error) {
    throw new Stop(`${error.message}.\n\n${help}`);
  }
}

/** A number of something, from 1. */
export function count(option, value) {
  if (!Number.isInteger(Number(value)) || value < 1) throw new Error(`--${option} takes a number from 1`);
  return Number(value);
}

/** The members of `all` that an option names, in their own order; all of them without the option. */
export function among(all, option, values, name = String) {
  const wanted = values[option]?.split(",") ?? all.map(name);
  const unknown = wanted.find((one) => !all.map(name).includes(one));
  if (unknown !== undefined) throw new Error(`--${option} does not know ${unknown}`);
  return all.filter((item) => wanted.includes(name(item)));
}
