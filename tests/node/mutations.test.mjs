// The tool for mutations: how it finds their places, and which of them it runs.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { changed, misplaced, shareOf, shareOfCommit } from "../mutations/mutation.mjs";

const text = "fn a() {\n    // mutation: above\n    one(1);\n    two(2); // mutation: behind\n    one(1);\n}\n";

/** The errors in lists of mutations of a project with one source file. */
function wrong(t, source, ...lists) {
  const project = mkdtempSync(join(tmpdir(), "edge-session-mutations-"));
  t.after(() => rmSync(project, { recursive: true }));
  mkdirSync(join(project, "src"));
  writeFileSync(join(project, "src", "a.rs"), source);
  return misplaced(lists, project);
}

test("a mutation changes the line of its marker only, which is above the line or at its end", () => {
  assert.equal(changed(text, { marker: "above", from: "1", to: "9" }), text.replace("1", "9"));
  assert.equal(changed(text, { marker: "behind", from: /two\(\d\)/, to: "$&" }), text.replace("two(2)", () => "$&"));
});

test("a mutation without its marker or its fragment is reported, and the others are not", (t) => {
  const good = { what: "good", marker: "above", from: "one", to: "two" };
  const also = { what: "also good", marker: "behind", from: "two", to: "one" };
  assert.deepEqual(wrong(t, text, [good, also]), []);
  for (const [bad, error] of [
    [{ marker: "gone" }, '"bad" cannot be planted: the marker gone is in no file of src and npm.'],
    [{ from: "(", to: "(" }, '"bad" cannot be planted: the change at the marker above leaves its line as it is.'],
    [{ from: "two" }, '"bad" cannot be planted: the line of the marker above contains no "two": "one(1);".'],
    [{ marker: "behind", from: "2" }, undefined],
    [{ marker: "behind", from: "mutation" }, '"bad" cannot be planted: the line of the marker behind contains no "mutation": "two(2);".'],
    [{ what: "good" }, 'Two mutations of one list are called "good". Rename one.'],
  ]) {
    assert.deepEqual(wrong(t, text, [good, also, { ...good, what: "bad", ...bad }]), error ? [error] : []);
  }
});

test("a marker that is in the sources twice, or has no mutation, is reported", (t) => {
  const good = { what: "good", marker: "above", from: "one", to: "two" };
  assert.deepEqual(wrong(t, text, [good], []), ["The marker behind in src/a.rs has no mutation. Remove it, or add the mutation."]);
  const [error] = wrong(t, text.replace("behind", "above"), [good]);
  assert.equal(error, '"good" cannot be planted: the marker above is in the sources 2 times: src/a.rs, src/a.rs.');
});

test("shares have nothing in common, contain all together, and a commit always has the same one", () => {
  const all = Array.from({ length: 20 }, (_, index) => index);
  const shares = [1, 2, 3].map((number) => shareOf(all, `${number}/3`));
  assert.deepEqual(shares.flat().sort((a, b) => a - b), all);
  for (const share of ["0/3", "4/3", "1", "1/0", "a/b"]) assert.throws(() => shareOf(all, share), /is no share/);
  const commits = ["0000000", "0000001", "000000f", "f".repeat(39) + "0"];
  assert.deepEqual(commits.map((commit) => shareOfCommit(commit, 4)), ["1/4", "2/4", "4/4", "1/4"]);
  assert.throws(() => shareOfCommit("HEAD", 5), /is not the hash of a commit/);
});
