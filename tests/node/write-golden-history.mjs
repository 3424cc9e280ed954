// Writes tests/data/golden-history.json with the package in dist/, after a deliberate change of the format of a token or a
// record: `node tests/node/write-golden-history.mjs`

import { readFileSync, writeFileSync } from "node:fs";
import * as edgeSession from "../../dist/node.js";
import { replay } from "./golden-history.mjs";

const file = new URL("../data/golden-history.json", import.meta.url);
const history = JSON.parse(readFileSync(file, "utf8"));
const replayed = await replay(edgeSession, history);
const list = (rows) => `[${rows.map((row) => `\n        ${JSON.stringify(row)}`).join(",")}${rows.length ? "\n      " : ""}]`;
const requests = history.requests.map(({ at, acts }, number) => {
  const { headers, stored } = replayed[number];
  return `    {\n      "at": ${at},\n      "acts": ${JSON.stringify(acts)},\n      "headers": ${list(headers)},\n      "stored": ${list(stored)}\n    }`;
});
writeFileSync(file, `{\n  "secrets": ${JSON.stringify(history.secrets)},\n  "requests": [\n${requests.join(",\n")}\n  ]\n}\n`);
