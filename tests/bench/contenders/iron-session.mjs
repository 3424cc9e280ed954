// iron-session, which has no store: the whole session is sealed into the cookie.

import { getIronSession, webCookies } from "iron-session";
import { cookieHeader, request } from "../shell.mjs";

const options = { cookieName: "sid", password: "the benchmark's secret, of more than 32 bytes" };

export default function ironSession() {
  async function visit(cookie, change) {
    const headers = new Headers();
    const session = await getIronSession(webCookies(request(cookie), headers), options);
    change(session);
    await session.save();
    return cookieHeader(headers);
  }
  /** A page that only reads does not save. */
  async function read(cookie, handler) {
    const headers = new Headers();
    handler(await getIronSession(webCookies(request(cookie), headers), options));
    return cookieHeader(headers);
  }
  return {
    fill: (cookie, data) => visit(cookie, (session) => Object.assign(session, data)),
    visit: (cookie, field, turn) => visit(cookie, (session) => (session[field] = turn(session.user, session[field]))),
    read: (cookie, field, look) => read(cookie, (session) => look(session.user, session[field])),
    anonymous: (cookie, look) => read(cookie, (session) => look(session.user)),
  };
}
