// The session inspector. Each module is responsible for one part of the page; the first read fills them all.

import "./cookie.js";
import "./countdown.js";
import "./data.js";
import "./lifetime.js";
import "./requests.js";
import "./visitor.js";
import { read, whenUsed } from "./actions.js";
import { part, showRoute } from "./page.js";

for (const code of document.querySelectorAll("button > code")) {
  if (code.parentElement) showRoute(code.parentElement);
}
whenUsed(part("#reload", HTMLElement), () => read());
await read();
