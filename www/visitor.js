// Who the visitor is to the server: new or known, logged in or out, with a browser that keeps cookies or not.

import { perform, whenRead, whenUsed } from "./actions.js";

const login = document.querySelector("#login");
const logout = document.querySelector("#logout");

whenRead(({ isNew, data }) => {
  const user = new Map(data).get("user");
  show("#state", isNew ? "New" : "Stored");
  show("#state-meaning", isNew ? "The server knows nothing about this browser yet." : "The server knows this browser by its cookie.");
  show("#user", user === undefined ? "No user is logged in." : `user is ${user}`);
  show("#visible-cookies", document.cookie || "nothing");
  document.querySelector("#state").classList.toggle("stored", !isNew);
});

whenUsed(login, async () => {
  const user = login.elements.namedItem("name").value.trim();
  const body = user === "" ? undefined : JSON.stringify({ user });
  const outcome = "Logged in: a new cookie, the same data.";
  if (await perform({ method: "POST", path: "/session/cycle-key", body }, outcome)) login.reset();
});

whenUsed(logout, () => perform({ method: "POST", path: "/session/flush" }, "Logged out: the data and the cookie are gone."));

testCookie("set", "POST", () => "Set. Now check.");
testCookie("delete", "DELETE", () => "Deleted.");
testCookie("check", "GET", ({ text }) => (JSON.parse(text).worked
  ? "worked: true. This browser keeps cookies."
  : "worked: false. It was not set, or this browser does not keep cookies."));

/** @param {string} name @param {string} method @param {(exchange: import("./session.js").Exchange) => string} answer */
function testCookie(name, method, answer) {
  whenUsed(document.querySelector(`#test-cookie-${name}`), async () => {
    const exchange = await perform({ method, path: "/session/test-cookie" }, answer);
    if (exchange) show("#test-cookie-answer", answer(exchange));
  });
}

/** @param {string} selector @param {string} text */
function show(selector, text) {
  document.querySelector(selector).textContent = text;
}
