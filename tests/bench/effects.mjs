// What a contender's visits do, for tests: how often they put a value, and how often they set a cookie.

import { namespace } from "./kv.mjs";
import { Visitor } from "./visit.mjs";

/** Makes three visits of a mode after the session is filled, and returns the number of puts and of Set-Cookie headers. */
export async function effects(make, mode, bytes = 200) {
  const effects = { puts: 0, cookies: 0 };
  const kv = namespace();
  const counting = {
    ...kv,
    async put(...args) {
      effects.puts += 1;
      return kv.put(...args);
    },
  };
  const contender = make(counting);
  const counted = (name) => async (...args) => {
    const setCookie = await contender[name](...args);
    if (setCookie) effects.cookies += 1;
    return setCookie;
  };
  const names = ["visit", "read", "anonymous"].filter((name) => contender[name]);
  const visitor = new Visitor({ ...contender, ...Object.fromEntries(names.map((name) => [name, counted(name)])) }, mode, bytes);
  await visitor.arrive();
  effects.puts = 0;
  await visitor.visit(3);
  const { puts, cookies } = effects;
  await visitor.leave();
  return { puts, cookies };
}
