// The session inspector. Each module looks after its part of the page; the first reading fills them all.

import "./data.js";
import "./lifetime.js";
import "./visitor.js";
import { read, whenUsed } from "./actions.js";

whenUsed(document.querySelector("#reload"), read);
await read();
