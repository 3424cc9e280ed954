// The calls on one session, by their names in the protocol.

import { expiry, odd, options } from "./values.mjs";

/** Changes the inside of a value, which sets no flag. */
function mutate(session, { key, mark }) {
  const value = session.get(key);
  if (Array.isArray(value)) value.push(7);
  else if (typeof value === "object" && value !== null) value.m = 7;
  if (mark) session.modified = true;
}

/** These calls return the session for chaining. Django's return None. */
const nothing = () => undefined;

export const calls = {
  item: (s, { key }) => s.item(key),
  set: (s, { key, value }) => nothing(s.set(key, value)),
  set_odd: (s, { key, kind, path }) => nothing(s.set(key, odd(kind, path))),
  remove: (s, { key }) => s.remove(key),
  map_delete: (s, { key }) => s.delete(key),
  has: (s, { key }) => s.has(key),
  get: (s, { key, ...given }) => ("default" in given ? s.get(key, given.default) : s.get(key)),
  pop: (s, { key, ...given }) => ("default" in given ? s.pop(key, given.default) : s.pop(key)),
  setdefault: (s, { key, value }) => s.setDefault(key, value),
  update: (s, { pairs }) => nothing(s.update(pairs)),
  keys: (s) => s.keys(),
  values: (s) => s.values(),
  items: (s) => s.items(),
  mutate,
  set_modified: (s, { value }) => { s.modified = value; },
  clear: (s) => s.clear(),
  flush: (s) => s.flush(),
  save: (s) => s.save().then(nothing),
  create: (s) => s.create(),
  cycle_key: (s) => s.cycleKey(),
  set_test_cookie: (s) => s.setTestCookie(),
  test_cookie_worked: (s) => s.testCookieWorked(),
  delete_test_cookie: (s) => s.deleteTestCookie(),
  set_expiry: (s, step) => s.setExpiry(expiry(step.expiry)),
  get_expiry_age: (s, step) => s.getExpiryAge(options(step.options)),
  get_expiry_date: (s, step) => s.getExpiryDate({ ...options(step.options), iso: true }),
  get_expire_at_browser_close: (s) => s.getExpireAtBrowserClose(),
  encode_decode: async (s, { pairs }) => Object.entries(await s.decode(await s.encode(pairs))),
};
