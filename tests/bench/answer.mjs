// What a contender's process answers: `/?mode=small&bytes=200&visits=1000` makes so many visits and answers when they are
// done. Whoever asks takes the time, since the clock in workerd stands still while it computes.

import { modes, Visitor } from "./visit.mjs";

/** Gives a function from a URL to an answer: a status and a text. */
export function answering(contender) {
  const visitors = new Map();

  async function visitor(mode, bytes) {
    const cell = `${mode} ${bytes}`;
    if (!visitors.has(cell)) {
      const arriving = new Visitor(contender(), modes[mode]);
      await arriving.arrive(bytes);
      visitors.set(cell, arriving);
    }
    return visitors.get(cell);
  }

  return async (url) => {
    const { searchParams } = new URL(url, "http://localhost");
    const visits = Number(searchParams.get("visits"));
    try {
      if (visits > 0) await (await visitor(searchParams.get("mode"), Number(searchParams.get("bytes")))).visit(visits);
      return [200, ""];
    } catch (error) {
      return [500, error.stack ?? String(error)];
    }
  };
}
