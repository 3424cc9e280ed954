// Writes tests/data/story.json anew, from the package in dist/: for who changed the format of a token or a record on purpose.
// `node tests/node/tell-story.mjs`

import { readFileSync, writeFileSync } from "node:fs";
import * as edgeSession from "../../dist/node.js";
import { replay } from "./story.mjs";

const file = new URL("../data/story.json", import.meta.url);
const story = JSON.parse(readFileSync(file, "utf8"));
const told = await replay(edgeSession, story);
const list = (rows) => `[${rows.map((row) => `\n        ${JSON.stringify(row)}`).join(",")}${rows.length ? "\n      " : ""}]`;
const requests = story.requests.map(({ at, acts }, number) => {
  const { headers, stored } = told[number];
  return `    {\n      "at": ${at},\n      "acts": ${JSON.stringify(acts)},\n      "headers": ${list(headers)},\n      "stored": ${list(stored)}\n    }`;
});
writeFileSync(file, `{\n  "secrets": ${JSON.stringify(story.secrets)},\n  "requests": [\n${requests.join(",\n")}\n  ]\n}\n`);
