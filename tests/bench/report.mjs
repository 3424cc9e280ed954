// The figures: what they come to, and how they are printed.

import { say } from "../../scripts/print.mjs";

/** How many times the floor a visit may take in workerd. */
const goals = {
  small: { 200: 5.5, 2048: 0.65, 16384: 0.12, 131072: 0.05 },
  large: { 2048: 1.8, 16384: 1.6, 131072: 1.5 },
};

/** Adds to each result what its rounds come to. */
export function judged(results) {
  return results.map((result) => {
    const { runtime, mode, bytes, contender, times } = result;
    const base = results.find((other) => other.runtime === runtime && other.mode === mode && other.bytes === bytes && other.contender === "floor");
    const ratio = base && median(times.map((time, round) => time / base.times[round]));
    const goal = runtime === "workerd" && contender === "edge-session" ? goals[mode][bytes] : undefined;
    return {
      runtime, mode, bytes, contender,
      microseconds: { median: median(times), min: Math.min(...times), max: Math.max(...times), rounds: times },
      timesFloor: ratio,
      goal: goal && { atMost: goal, met: ratio <= goal },
    };
  });
}

/** A table for each runtime and mode. */
export function print(results, contenders, sizes) {
  for (const [title, group] of grouped(results, ({ runtime, mode }) => `${runtime}, ${titles[mode]}`)) {
    const columns = sizes.filter(({ bytes }) => group.some((result) => result.bytes === bytes));
    const rows = contenders.map(({ name, title }) => [
      title,
      ...columns.map(({ bytes }) => cell(group.find((result) => result.contender === name && result.bytes === bytes))),
    ]);
    const goal = columns.map(({ bytes }) => verdict(group.find((result) => result.bytes === bytes && result.goal)));
    if (goal.some(Boolean)) rows.push(["goal for edge-session", ...goal]);
    say(`\n${title}: µs a visit [min–max], × floor\n`);
    table([["", ...columns.map(({ name }) => name)], ...rows]);
  }
}

const titles = { small: "small fields only", large: "one large field rewritten" };

function cell(result) {
  if (!result) return "–";
  const { median, min, max } = result.microseconds;
  return `${short(median)} [${short(min)}–${short(max)}]${result.timesFloor === undefined ? "" : ` ×${result.timesFloor.toFixed(2)}`}`;
}

function verdict(result) {
  return result && `≤ ×${result.goal.atMost} ${result.goal.met ? "met" : "not met"}`;
}

/** Three digits that count. */
function short(number) {
  return number < 100 ? number.toPrecision(3) : String(Math.round(number));
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function grouped(list, key) {
  const groups = new Map();
  for (const item of list) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  for (const row of rows) say(row.map((text, column) => (column ? (text ?? "").padStart(widths[column]) : text.padEnd(widths[0]))).join("   ").trimEnd());
}
