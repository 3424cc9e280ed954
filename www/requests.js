// The last requests, and the cost of each.

import { whenSent } from "./actions.js";
import { counted, reason, setCookie } from "./cost.js";
import { element, part, show } from "./page.js";

/** @typedef {import("./session.js").Exchange} Exchange */

const LISTED = 12;
const body = part("#requests tbody", HTMLTableSectionElement);
const sum = { requests: 0, reads: 0, writes: 0, deletes: 0 };

whenSent((exchange, following) => {
  body.prepend(row(exchange, following));
  body.rows[LISTED]?.remove();
  sum.requests += 1;
  sum.reads += exchange.cost?.reads ?? 0;
  sum.writes += exchange.cost?.writes ?? 0;
  sum.deletes += exchange.cost?.deletes ?? 0;
  const { requests, reads, writes, deletes } = sum;
  const operations = [counted(reads, "read"), counted(writes, "write"), counted(deletes, "delete")].join(", ");
  show("#sum", `Since this page was opened: ${counted(requests, "request")}, ${operations}.`);
});

/** @param {Exchange} exchange @param {boolean} following */
function row(exchange, following) {
  const { method, path, status, milliseconds, cost, error } = exchange;
  const name = element("b", method);
  name.dataset["method"] = method;
  const head = element("th", element("code", name, ` ${path}`));
  head.scope = "row";
  head.setAttribute("role", "rowheader");
  const why = reason(exchange);
  if (why && !following) head.append(element("small", why));
  const kv = cost && cost.milliseconds > 0 ? element("small", `store ${cost.milliseconds} ms`) : "";
  const made = element("tr", head,
    cell("status", status ? String(status) : "no answer"),
    cell("figure", ...number(cost?.reads, "read")),
    cell("figure", ...number(cost?.writes, "write")),
    cell("figure", ...number(cost?.deletes, "delete")),
    cell("set-cookie", ...cookie(cost)),
    cell("figure", `${milliseconds} ms`, kv));
  made.setAttribute("role", "row");
  made.classList.toggle("failed", error !== undefined);
  made.classList.toggle("following", following);
  return made;
}

/** @param {string} kind @param {...(string | Node)} content */
function cell(kind, ...content) {
  const made = element("td", ...content);
  made.className = kind;
  made.setAttribute("role", "cell");
  return made;
}

/**
 * A number, with its unit if no column shows it.
 *
 * @param {number | undefined} count
 * @param {string} noun
 */
function number(count, noun) {
  if (count === undefined) return ["–"];
  const unit = element("span", counted(count, noun).replace(/^\d+/, ""));
  unit.className = "unit";
  return [count ? element("b", String(count)) : "0", unit];
}

/** @param {import("./cost.js").Cost | undefined} cost */
function cookie(cost) {
  if (cost === undefined) return ["–"];
  if (cost.setCookie !== "none") return [element("b", setCookie(cost))];
  const name = element("span", "Set-Cookie: ");
  name.className = "unit";
  return [name, "none"];
}
