// The requests to a contender's process: `/?mode=small&bytes=200&visits=1000` makes 1000 visits, with `&leave` the last ones,
// and responds when they are done. The client measures the time, since the clock in workerd does not advance during computation.

import { modes, Visitor } from "./visit.mjs";

/** Returns a function from a URL to a response: a status and a text. */
export function answering(contender) {
  const visitors = new Map();

  async function visitor(mode, bytes) {
    const cell = `${mode} ${bytes}`;
    if (!visitors.has(cell)) {
      const arriving = new Visitor(contender(), modes[mode], bytes);
      await arriving.arrive();
      visitors.set(cell, arriving);
    }
    return visitors.get(cell);
  }

  return async (url) => {
    const { searchParams } = new URL(url, "http://localhost");
    const visits = Number(searchParams.get("visits"));
    try {
      if (visits > 0) {
        const visiting = await visitor(searchParams.get("mode"), Number(searchParams.get("bytes")));
        await visiting.visit(visits);
        if (searchParams.has("leave")) await visiting.leave();
      }
      return [200, ""];
    } catch (error) {
      return [500, error.stack ?? String(error)];
    }
  };
}
