// The counted figures in docs/concepts/choosing-an-engine.md, counted again in workerd. `npm run bench` installs the other libraries;
// without them this test is skipped.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { described, dollars, kinds, measured } from "../../bench/engines.mjs";
import { read, root } from "../../../scripts/project.mjs";

const skip = existsSync(join(root, "tests/bench/node_modules")) ? false : "npm run bench installs the other libraries";

/** The cells of a row of the document, of those engines that are documented. */
const document = read("docs/concepts/choosing-an-engine.md");
function row(title) {
  const line = document.split("\n").find((line) => line.startsWith(`| ${title} | `));
  assert.ok(line, `there is no row "${title}"`);
  return line.split("|").slice(2, -1).map((cell) => cell.trim());
}

test("the costs of the engines are those that the document on choosing one names", { skip, timeout: 120_000 }, async () => {
  const results = (await measured(0)).filter(({ engine }) => !["memory", "cookie"].includes(engine));
  for (const [kind, title] of Object.entries(kinds)) {
    assert.deepEqual(row(title), results.map(({ operations }) => described(operations[kind])), title);
  }
  assert.deepEqual(row("dollars of a day with a million requests"), results.map(({ dollars: { day } }) => dollars(day)));
  const renewing = results.map(({ dollars: { renewing } }) => dollars(renewing));
  assert.deepEqual(row("the same, and each reading request moves the expiry"), renewing);
  const own = results.slice(0, 3);
  const compared = (title, value) => assert.deepEqual(row(title).slice(0, own.length), own.map((result) => String(value(result))), title);
  compared("bytes of a put, with 200 B of data", ({ savedBytes }) => savedBytes[200]);
  compared("bytes of a put, with 16 KB", ({ savedBytes }) => savedBytes[16_384]);
  compared("bytes of the cookie after ten saves", ({ cookieBytes }) => cookieBytes[200]);
});
