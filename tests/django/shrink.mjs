// Removes steps from a sequence while it still shows a mismatch.

/** Returns the shortest sequence found; `shows` returns whether a sequence still shows the mismatch. */
export async function shrink(sequence, shows) {
  let best = sequence;
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = best.steps.length - size; from >= 0; from -= size) {
      const steps = best.steps.toSpliced(from, size);
      if (isWhole(steps) && (await shows({ ...best, steps }))) best = { ...best, steps };
      from = Math.min(from, best.steps.length);
    }
  }
  for (const name of Object.keys(best.settings)) {
    const { [name]: _, ...settings } = best.settings;
    if (await shows({ ...best, settings })) best = { ...best, settings };
  }
  return best;
}

/** Returns whether every step refers to an open session. */
function isWhole(steps) {
  const open = new Set();
  return steps.every((step) => {
    if (step.as) open.add(step.as);
    if (step.on && !open.has(step.on)) return false;
    if (step.op === "commit") open.delete(step.on);
    return true;
  });
}
