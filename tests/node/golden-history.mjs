// The history of one visitor, with a given clock and given random bytes. tests/data/golden-history.json has its requests, each
// with its response headers and all stored entries. Native code, Node and workerd have to produce the same bytes.

/** The actions of a request, by name. */
const acts = {
  set: (session, key, json) => session.set(key, JSON.parse(json)),
  remove: (session, key) => session.remove(key),
  expire: (session, seconds) => session.setExpiry(seconds),
  cycle: (session) => session.cycleKey(),
  flush: (session) => session.flush(),
};

/** Replays the history with a build of the package. Returns the headers and the stored entries of each request. */
export async function replay({ createSessions, memory }, { secrets, requests }) {
  const store = { ...memory(), consistency: "eventual" }; // the protocol of KV
  let [now, seed, cookie] = [0, 0, ""];
  const sessions = createSessions({ store, secrets, clock: () => now, entropy: () => new Uint8Array(32).fill(seed) });
  const replayed = [];
  for (const [number, { at, acts: done }] of requests.entries()) {
    [now, seed] = [at, number + 1];
    const session = await sessions.load(cookie);
    for (const [word, ...values] of done) await acts[word](session, ...values);
    const headers = await sessions.commitHeaders(session, 200);
    const [, line] = headers.find(([name]) => name === "Set-Cookie") ?? [];
    if (line) cookie = /; Max-Age=0;/.test(line) ? "" : line.split(";")[0];
    const stored = [...store.records].map(([key, { value }]) => [key, new TextDecoder().decode(value)]).sort(([a], [b]) => (a < b ? -1 : 1));
    replayed.push({ headers, stored });
  }
  return replayed;
}
