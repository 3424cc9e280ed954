// The session's cookie: its attributes and their meaning.

import { whenRead, whenSent } from "./actions.js";
import { counted } from "./cost.js";
import { describeLoad } from "./load-reason.js";
import { element, part, show } from "./page.js";
import { moment } from "./time.js";

/**
 * @typedef {import("./session.js").Cookie} Cookie
 * @typedef {import("./session.js").Session} Session
 */

const body = part("#cookie tbody", HTMLTableSectionElement);
const sent = { given: 0, deleted: 0 };
let shown = "";

whenSent(({ cost }) => {
  if (cost?.setCookie === "given") sent.given += 1;
  if (cost?.setCookie === "deleted") sent.deleted += 1;
});

whenRead((session) => {
  const { cookie } = session;
  show("#cookie-state", ...state(session));
  show("#visible-cookies", document.cookie || "nothing");
  const now = JSON.stringify([cookie, session.loadReason]);
  if (now === shown) return; // it may be being read
  shown = now;
  body.replaceChildren(...attributes(session).map(([attribute, value, meaning]) => {
    const head = element("th", attribute);
    head.scope = "row";
    head.setAttribute("role", "rowheader");
    const cells = [element("td", value), element("td", meaning)];
    for (const cell of cells) cell.setAttribute("role", "cell");
    const row = element("tr", head, ...cells);
    row.setAttribute("role", "row");
    return row;
  }));
});

/** Describes whether this browser has the cookie, and how often it changed. @param {Session} session */
function state({ cookie: { issued }, loadReason }) {
  const changes = [
    sent.given && `given ${counted(sent.given, "time")}`,
    sent.deleted && `deleted ${counted(sent.deleted, "time")}`,
  ].filter(Boolean).join(" and ");
  const since = changes && ` Since this page was opened it was ${changes}.`;
  if (issued === null) {
    const { cookie = "This browser has no cookie. The first change sets it, with these attributes." } = describeLoad(loadReason);
    return [`${cookie}${since}`];
  }
  return ["This browser has it since ", moment(issued), `.${since}`];
}

/**
 * @param {Session} session
 * @returns {[attribute: string, value: string | Node, meaning: string][]}
 */
function attributes({ cookie, loadReason }) {
  return [
    ["Name", element("code", cookie.name), prefix(cookie.name)],
    otherName(cookie),
    ["Value", "sealed, never shown", "It names the session’s key, and can neither be read nor forged. No route returns it. Each save gives a new one; a login changes the key in it."],
    ["Expires", expires(cookie, loadReason), "The browser deletes it then. Each save moves this time, together with the record’s deadline."],
    ["Domain", cookie.domain ?? "none", cookie.domain === null ? "Sent to this host only." : "Sent to this host and its subdomains."],
    ["Path", element("code", cookie.path), cookie.path === "/" ? "Sent with every request to the host." : "Sent with requests below this path."],
    ["Secure", yes(cookie.secure), cookie.secure ? "Sent over HTTPS only, and to localhost." : "Sent over HTTP as well, where it can be intercepted."],
    ["HttpOnly", yes(cookie.httpOnly), cookie.httpOnly ? "No script can read it." : "Scripts on this site can read it, injected ones as well."],
    ["SameSite", cookie.sameSite, {
      Strict: "Not sent with requests from other sites, not even with a link to this page.",
      Lax: "Of the requests from other sites, only links to this page send it.",
      None: "Sent with requests from every site; the routes refuse those of other sites’ pages.",
    }[cookie.sameSite]],
  ];
}

/**
 * The cookie name that is not in use.
 *
 * @param {Cookie} cookie
 * @returns {[attribute: string, value: Node, meaning: string]}
 */
function otherName({ name, anonymousName, loginName }) {
  if (name === anonymousName) {
    return ["After a login", element("code", loginName), "A login gives the cookie this name and deletes the other one. So no late response to a request from before the login can replace the login’s cookie."];
  }
  return ["Before a login", element("code", anonymousName), "An anonymous session has this cookie name until its first login. A logout deletes the cookies of both names."];
}

/** @param {string} name */
function prefix(name) {
  const lower = name.toLowerCase();
  if (lower.startsWith("__host-")) return "Browsers accept this prefix only with Secure, without a Domain and with Path=/: no other host can set such a cookie.";
  if (lower.startsWith("__secure-")) return "Browsers accept this prefix only with Secure.";
  return "Without a prefix, other hosts of the domain can set a cookie of this name.";
}

/** @param {Cookie} cookie @param {string} reason */
function expires({ issued, expires }, reason) {
  if (issued === null) return describeLoad(reason).cookie === undefined ? "not sent yet" : "not known";
  if (expires === null) return "when the browser closes";
  const age = Math.round((Date.parse(expires) - Date.parse(issued)) / 1000);
  return element("span", moment(expires), element("small", `Max-Age=${age}`));
}

/** @param {boolean} is */
function yes(is) {
  return is ? "yes" : "no";
}
