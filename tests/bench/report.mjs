// Computes and prints the figures.

import { say } from "../../scripts/print.mjs";
import { contenders } from "./contenders.mjs";
import { median } from "./measure.mjs";

/** The maximum ratio of edge-session's time to the floor's in workerd. */
const goals = {
  small: { 200: 5.5, 2048: 0.65, 16384: 0.12, 131072: 0.05 },
  large: { 2048: 1.8, 16384: 1.6, 131072: 1.5 },
};

const titles = { small: "small fields only", large: "one large field rewritten" };
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
    const most = cell.runtime === "workerd" ? goals[cell.mode][cell.bytes] : undefined;
    return {
      ...result,
      ...(most && result.timesFloor && { goal: { most, met: result.timesFloor <= most } }),
      timesPeers: Object.fromEntries(peers.map(({ name }) => [name, ratio(name)])),
    };
  });
}

/** Prints a table for each runtime and mode, and the comparison. */
export function print(results, { only, sizes, runtime, mode, clock, rounds }) {
  say(`\nMicroseconds of ${clock === "cpu" ? "processor time" : "time"} a visit: the median of ${rounds} rounds [least–most] × the floor in the same round.`);
  for (const where of runtime) for (const what of mode) {
    const of = (name, { bytes }) => results.find((result) => isIn(result, { runtime: where, mode: what, bytes }) && result.contender === name);
    const rows = only.map(({ name, title }) => [title, ...sizes.map((size) => figures(of(name, size)))]);
    const verdicts = sizes.map((size) => verdict(of("edge-session", size)?.goal));
    if (verdicts.some(Boolean)) rows.push(["goals for edge-session", ...verdicts]);
    say(`\n${where}, ${titles[what]}\n`);
    table([["", ...sizes.map(({ name }) => name)], ...rows]);
  }
  say("");
  for (const { why } of only) if (why) say(`–: ${why}`);
  for (const line of standing(results, runtime, sizes)) say(line);
}

/** The cells in which edge-session is faster than every peer, and the others. */
function standing(results, runtimes, sizes) {
  const name = (bytes) => sizes.find((size) => size.bytes === bytes).name;
  return runtimes.flatMap((runtime) => {
    const pairs = results.filter((result) => result.runtime === runtime && result.timesPeers).flatMap(({ mode, bytes, timesPeers }) =>
      peers.filter((peer) => timesPeers[peer.name]).map((peer) => ({ mode, bytes, peer, ratio: timesPeers[peer.name] })));
    const slower = pairs.filter(({ ratio }) => ratio >= 1);
    if (pairs.length === 0) return [];
    if (slower.length === 0) return [`In ${runtime}, edge-session is faster than every peer in every cell.`];
    const list = slower.map(({ mode, bytes, peer, ratio }) => `  ${name(bytes)}, ${titles[mode]}: ${ratio.toFixed(2)} × ${peer.title}`);
    return [`In ${runtime}, edge-session is not faster than every peer in every cell:`, ...list];
  });
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

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row) => row.map((text = "", column) => (column ? text.padStart(widths[column]) : text.padEnd(widths[0]))).join("   ");
  for (const row of rows) say(line(row).trimEnd());
}
