// Who the visitor is to the server: new or known, logged in or out, with a browser that keeps cookies or not.

import { perform, whenRead, whenUsed } from "./actions.js";
import { field, part, show } from "./page.js";

const login = part("#login", HTMLFormElement);

whenRead(({ isNew, data }) => {
  const user = new Map(data).get("user");
  show("#state", isNew ? "New" : "Stored");
  show("#state-meaning", isNew ? "The server knows nothing about this browser yet." : "The server knows this browser by its cookie.");
  show("#user", user === undefined ? "No user is logged in." : `user is ${user}`);
  part("#state", HTMLElement).classList.toggle("stored", !isNew);
});

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
