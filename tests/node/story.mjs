// A visitor's story with a clock and random bytes that are given: tests/data/story.json tells it, with each answer and all that is
// stored after each request. Whoever replays it, natively, in Node or in workerd, has to come to the same bytes.

/** What is done in one request, by its word. */
const acts = {
  set: (session, key, json) => session.set(key, JSON.parse(json)),
  remove: (session, key) => session.remove(key),
  expire: (session, seconds) => session.setExpiry(seconds),
  cycle: (session) => session.cycleKey(),
  flush: (session) => session.flush(),
};

/** Replays the story with a build of the package; gives what came of each request. */
export async function replay({ createSessions, memory }, { secrets, requests }) {
  const store = memory();
  let [now, seed, cookie] = [0, 0, ""];
  const sessions = createSessions({ store, secrets, clock: () => now, entropy: () => new Uint8Array(32).fill(seed) });
  const told = [];
  for (const [number, { at, acts: done }] of requests.entries()) {
    [now, seed] = [at, number + 1];
    const session = await sessions.load(cookie);
    for (const [word, ...values] of done) await acts[word](session, ...values);
    const headers = await sessions.commitHeaders(session, 200);
    const [, line] = headers.find(([name]) => name === "Set-Cookie") ?? [];
    if (line) cookie = /; Max-Age=0;/.test(line) ? "" : line.split(";")[0];
    const stored = [...store.records].map(([key, { value }]) => [key, new TextDecoder().decode(value)]).sort(([a], [b]) => (a < b ? -1 : 1));
    told.push({ headers, stored });
  }
  return told;
}
