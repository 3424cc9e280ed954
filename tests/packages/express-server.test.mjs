// The example with Express, installed from the tarball and served by Node.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { environment } from "../../scripts/project.mjs";
import { Visitor } from "./frameworks/application.mjs";
import { install, succeed } from "./installed.mjs";

const packages = ["express", "@types/express", "@types/express-serve-static-core", "@types/node"];
const { folder } = await install({ consumers: [], examples: ["express-server"], packages });
const cwd = `${folder}/express-server`;

test("the example express-server compiles", async () => {
  const flags = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--erasableSyntaxOnly", "--noEmit"];
  await succeed("tsc", [...flags, "--target", "es2022", "--module", "nodenext", "--lib", "es2022,esnext.disposable,dom", "--types", "node", "server.ts"], { cwd });
});

test("the example express-server: visits, login, a message, a streamed page, logout", async (t) => {
  const env = { ...environment(), PORT: "0" };
  const server = spawn("node", ["--env-file=development.env", "server.ts"], { cwd, env });
  t.after(() => server.kill("SIGKILL"));
  const [line] = await once(server.stdout, "data");
  const visitor = new Visitor(line.toString().trim());
  const anonymous = new Visitor(visitor.url);

  assert.match((await visitor.get("/")).text, /Visit number 1</);
  anonymous.jar = new Map(visitor.jar);
  const login = await visitor.post("/login", new URLSearchParams({ user: "<Bob>" }));
  assert.deepEqual([login.status, login.headers.get("Location")], [303, "/"]);
  assert.match((await visitor.get("/")).text, /Welcome, &#60;Bob&#62;.*Visit number 2</);
  assert.doesNotMatch((await visitor.get("/")).text, /Welcome/, "a message is shown once");
  const report = await visitor.get("/report");
  assert.match(report.text, /One moment.*The report of &#60;Bob&#62;/);
  assert.match(report.headers.get("Vary"), /Cookie/);
  assert.equal((await anonymous.get("/report")).status, 303, "the key of before the login opens nothing");
  const copy = new Visitor(visitor.url);
  copy.jar = new Map(visitor.jar);
  await visitor.post("/logout");
  for (const one of [visitor, copy]) assert.match((await one.get("/")).text, /Visit number 1<.*Log in/);
});
