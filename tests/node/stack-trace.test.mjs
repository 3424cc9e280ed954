// The stack trace of an error begins at the line of the application that called the package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ConfigError, createSessions, memory, SessionClosedError, StoreUnavailableError } from "../../dist/node.js";
import { secrets } from "./visitor.mjs";

const here = fileURLToPath(import.meta.url);
const sessions = createSessions({ store: memory(), secrets });
const session = await sessions.load("");
const failing = createSessions({ store: { ...memory(), put: () => Promise.reject(new Error("down")) }, secrets });

/** The frames of the error that a call throws, or rejects with. */
async function framesOf(call) {
  const error = await Promise.resolve().then(call).then(() => assert.fail("nothing was thrown"), (error) => error);
  return error.stack.split("\n").filter((line) => /^ +at /.test(line));
}

let nested = new Date();
for (let level = 0; level < 60; level++) nested = level % 2 ? { nested } : [nested];

const calls = {
  "an argument": function application() { session.set(1, 2); },
  "a missing key": function application() { session.item("missing"); },
  "a call that calls another one": function application() { session.pop("missing"); },
  "a value deep inside of another one": function application() { session.set("nested", nested); },
  "several values": function application() { session.update({ at: new Date() }); },
  "an error of the core": function application() { session.setExpiry("1h"); },
  "a setter": function application() { session.modified = true; },
  "a setting": function application() { createSessions({}); },
  "a call that returns a promise": function application() { return sessions.load(1); },
  "an asynchronous call": async function application() { await sessions.revoke("alice", 1); },
  "an operation, after its store has answered": async function application() {
    const session = await failing.load("");
    session.set("user", "alice");
    await failing.commit(session, new Response());
  },
};

for (const [name, call] of Object.entries(calls)) {
  test(`the stack trace begins at the application's call: ${name}`, async () => {
    if (name === "a setter") session[Symbol.dispose]();
    const [first] = await framesOf(call);
    assert.match(first, /^ +at (async )?(Object\.)?application \(/);
    assert.ok(first.includes(here), first);
  });
}

test("the frames of a handler of run stay", async () => {
  const frames = await framesOf(async function application() {
    await sessions.run("", function handler(session) {
      session.item("missing");
    });
  });
  assert.match(frames[0], /^ +at handler /);
  assert.match(frames.at(-1), /^ +at async (Object\.)?application /);
});

test("an error that the application creates keeps its stack trace", () => {
  function application() {
    return new ConfigError("the table is missing");
  }
  assert.match(application().stack, /^ConfigError: the table is missing\n +at application /);
});

test("the cause of an error is the store's own error, with its own frames", async () => {
  const error = await calls["an operation, after its store has answered"]().catch((error) => error);
  assert.ok(error instanceof StoreUnavailableError);
  assert.match(error.cause.stack, /^Error: down\n +at .*put/);
});

test("the limit of stack traces stays as it is, and holds", async (t) => {
  t.after(() => (Error.stackTraceLimit = 10));
  for (const limit of [3, 0]) {
    Error.stackTraceLimit = limit;
    const frames = await framesOf(() => createSessions({}));
    assert.equal(Error.stackTraceLimit, limit);
    assert.ok(frames.length <= limit, frames.join("\n"));
  }
});

test("an application that formats stack traces in its own way, or has frozen Error, gets its error", (t) => {
  t.after(() => delete Error.prepareStackTrace);
  Error.prepareStackTrace = (error, frames) => frames;
  assert.throws(() => session.set("user", "alice"), SessionClosedError);
  delete Error.prepareStackTrace;
  assert.equal(Error.stackTraceLimit, 10);
  const program = `import { createSessions } from ${JSON.stringify(new URL("../../dist/node.js", import.meta.url))};
    Object.freeze(Error);
    try { createSessions({}); } catch (error) { console.log(error.name); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
  assert.deepEqual([stdout, stderr], ["ConfigError\n", ""]);
});
