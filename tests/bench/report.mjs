// Computes and prints the figures.

import { say } from "../../scripts/print.mjs";
import { contenders } from "./contenders.mjs";
import { median } from "./measure.mjs";
import { modes } from "./visit.mjs";

/** The maximum ratio of edge-session's time to the floor's in workerd. */
const goals = {
  small: { 200: 7.5, 2048: 1.7, 16384: 0.25, 131072: 0.06 },
  large: { 200: 9, 2048: 2.7, 16384: 1.3, 131072: 1 },
  read: { 200: 8, 2048: 1, 16384: 0.15, 131072: 0.04 },
  anonymous: { 200: 1 },
};

const peers = contenders.filter(({ peer }) => peer);

/** The summary of the rounds of each result, in its cell. */
export function judged(results) {
  const times = (cell, contender) => results.find((result) => isIn(cell, result) && result.contender === contender)?.times;
  return results.map(({ times: rounds, ...cell }) => {
    const ratio = (contender) => times(cell, contender) && median(rounds.map((time, round) => time / times(cell, contender)[round]));
    const result = {
      ...cell,
      microseconds: { median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds },
      timesFloor: ratio("floor"),
    };
    if (cell.contender !== "edge-session") return result;
    const most = cell.runtime === "workerd" ? goals[cell.mode]?.[cell.bytes] : undefined;
    return {
      ...result,
      ...(most && result.timesFloor && { goal: { most, met: result.timesFloor <= most } }),
      timesPeers: Object.fromEntries(peers.map(({ name }) => [name, ratio(name)])),
    };
  });
}

/** Prints a table for each runtime and mode, and the comparison. */
export function print(results, { only, runtime, mode, clock, rounds }) {
  say(`\nMicroseconds of ${clock === "cpu" ? "processor time" : "time"} a visit: the median of ${rounds} rounds [least–most] × the floor in the same round.`);
  for (const where of runtime) for (const what of mode) {
    const here = results.filter((result) => result.runtime === where && result.mode === what);
    const sizes = [...new Set(here.map(({ bytes }) => bytes))];
    const of = (name, bytes) => here.find((result) => result.bytes === bytes && result.contender === name);
    const taking = only.filter(({ name }) => sizes.some((bytes) => of(name, bytes)));
    const rows = taking.map(({ name, title }) => [title, ...sizes.map((bytes) => figures(of(name, bytes)))]);
    const verdicts = sizes.map((bytes) => verdict(of("edge-session", bytes)?.goal));
    if (verdicts.some(Boolean)) rows.push(["goals for edge-session", ...verdicts]);
    say(`\n${[where, modes[what].title, modes[what].note].filter(Boolean).join(", ")}\n`);
    table([["", ...sizes.map(sizeName)], ...rows]);
  }
  say("");
  for (const { why } of only) if (why) say(`–: ${why}`);
  for (const { runtime, isFastest, slower } of standing(results)) {
    say(`In ${runtime}, edge-session is ${isFastest ? "" : "not "}faster than every peer in every cell${isFastest ? "." : ":"}`);
    for (const { mode, bytes, peer, ratio } of slower) {
      say(`  ${sizeName(bytes)}, ${modes[mode].title}: ${ratio.toFixed(2)} × ${peers.find(({ name }) => name === peer).title}`);
    }
  }
}

/** For each runtime, whether edge-session is faster than every peer in every cell, and the cells in which it is not. */
export function standing(results) {
  return [...new Set(results.map(({ runtime }) => runtime))].flatMap((runtime) => {
    const pairs = results.filter((result) => result.runtime === runtime && result.timesPeers).flatMap(({ mode, bytes, timesPeers }) =>
      Object.entries(timesPeers).filter(([, ratio]) => ratio).map(([peer, ratio]) => ({ mode, bytes, peer, ratio })));
    const slower = pairs.filter(({ ratio }) => ratio >= 1);
    return pairs.length ? [{ runtime, isFastest: slower.length === 0, slower }] : [];
  });
}

function sizeName(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KB`;
}

function isIn(cell, other) {
  return cell.runtime === other.runtime && cell.mode === other.mode && cell.bytes === other.bytes;
}

function figures(result) {
  if (!result) return "–";
  const { median, min, max } = result.microseconds;
  return `${short(median)} [${short(min)}–${short(max)}]${result.timesFloor ? ` ×${result.timesFloor.toFixed(2)}` : ""}`;
}

function verdict(goal) {
  return goal && `≤ ×${goal.most.toFixed(2)}, ${goal.met ? "met" : "not met"}`;
}

/** Three significant digits. */
function short(number) {
  return number < 100 ? number.toPrecision(3) : String(Math.round(number));
}

/** Prints rows of texts in columns, the first one to the left. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row) => row.map((text = "", column) => (column ? text.padStart(widths[column]) : text.padEnd(widths[0]))).join("   ");
  for (const row of rows) say(line(row).trimEnd());
}
