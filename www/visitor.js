// The visitor as the server sees it: what the load of the session gave, logged in or out, with a browser that keeps cookies or not.

import { perform, whenRead, whenSent, whenUsed } from "./actions.js";
import { describeLoad } from "./load-reason.js";
import { element, field, part, prose, show } from "./page.js";

const login = part("#login", HTMLFormElement);

whenRead(({ loadReason, data, engine }) => {
  const user = new Map(data).get("user");
  showLoad(loadReason);
  show("#engine", engine);
  const kind = engine === "kv" || engine === "cookie" ? engine : "exact";
  for (const text of document.querySelectorAll(".on-kv, .on-exact, .on-cookie")) {
    if (text instanceof HTMLElement) text.hidden = !text.classList.contains(`on-${kind}`);
  }
  show("#user", user === undefined ? "No user is logged in." : `user is ${user}`);
});

// Such an answer describes no session.
whenSent(({ method, path, status }) => {
  if (method === "GET" && path === "/session" && status === 503) showLoad("unavailable");
});

/** Shows what the load of the session gave, and what to do. @param {string} reason */
function showLoad(reason) {
  const { label, badge, meaning, next } = describeLoad(reason);
  show("#state", label);
  part("#state", HTMLElement).className = `badge ${badge}`;
  show("#state-meaning", ...prose(meaning));
  show("#state-next", ...(next === undefined ? [] : [element("b", "What to do:"), " ", ...prose(next)]));
  part("#state-next", HTMLElement).hidden = next === undefined;
  show("#load-reason", reason);
}

whenUsed(login, async () => {
  const user = field(login, "name").value.trim();
  const body = user === "" ? undefined : JSON.stringify({ user });
  const outcome = "Logged in: a new cookie, the same data.";
  if (await perform({ method: "POST", path: "/session/cycle-key", body }, outcome)) login.reset();
});

whenUsed(part("#logout", HTMLElement), () =>
  perform({ method: "POST", path: "/session/flush" }, "Logged out: the data and the cookie are gone."));

testCookie("set", "POST", () => "Set. Now check.");
testCookie("delete", "DELETE", () => "Deleted.");
testCookie("check", "GET", ({ text }) => (JSON.parse(text).worked
  ? "worked: true. This browser keeps cookies."
  : "worked: false. It was not set, or this browser does not keep cookies."));

/** @param {string} name @param {string} method @param {(exchange: import("./session.js").Exchange) => string} answer */
function testCookie(name, method, answer) {
  whenUsed(part(`#test-cookie-${name}`, HTMLElement), async () => {
    const exchange = await perform({ method, path: "/session/test-cookie" }, answer);
    if (exchange) show("#test-cookie-answer", answer(exchange));
  });
}
