// The packed tarball on each platform that it supports. Each consumer is a project in a folder of its name, here or in
// `examples`.

import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { extname } from "node:path";
import { describe, test } from "node:test";
import { build, createServer, preview } from "vite";
import { root } from "../../scripts/project.mjs";
import { launch } from "../e2e/browser.mjs";
import { writeExamples } from "./documents.mjs";
import { install, serve, succeed } from "./installed.mjs";

const { folder, tarball } = await install({
  consumers: ["documents", "node", "types", "vite-browser", "vitest-workerd"],
  examples: ["hono-worker", "my-devices", "service-bindings", "typescript-worker"],
  packages: ["@cloudflare/vitest-plugin", "@types/express", "@types/express-serve-static-core", "@types/node", "fastify", "hono", "vite", "vitest"],
});
const at = (consumer) => ({ cwd: `${folder}/${consumer}` });

/** A visitor of the Worker at `url` with a cookie jar. Requests return the page's text, and the cookies that it set. */
const visitor = (url, jar = {}) => ({
  jar: { ...jar },
  async request(method, path) {
    const cookie = Object.entries(this.jar).map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url + path, { method, headers: { Cookie: cookie }, redirect: "manual" });
    const cookies = response.headers.getSetCookie();
    for (const line of cookies.filter((line) => line.startsWith("__Host-sessionid"))) {
      const [, name, value] = /^(.*?)=(.*?);/.exec(line);
      if (/; Max-Age=0(;|$)/.test(line)) delete this.jar[name];
      else this.jar[name] = value;
    }
    return { status: response.status, text: await response.text(), headers: response.headers, cookies: cookies.map((line) => line.split("=")[0]) };
  },
  get(path) {
    return this.request("GET", path);
  },
  post(path) {
    return this.request("POST", path);
  },
});

describe("the package, installed", { concurrency: 2 }, () => {
  test("publint and arethetypeswrong find no errors", async () => {
    await succeed("publint", ["run", "--strict", tarball]);
    await succeed("attw", [tarball, "--exclude-entrypoints", "edge-session.wasm"]); // which is no JavaScript
  });

  test("npm would publish the package as it is, without a file that is not its own", async () => {
    const output = await succeed("npm", ["publish", "--dry-run", "--offline"], { cwd: `${root}/dist` });
    assert.match(output, /^\+ edge-session@\d/m);
    assert.doesNotMatch(output.replace(/.*you to be logged in.*/, ""), /npm (warn|error)/);
    const [{ files }] = JSON.parse(await succeed("npm", ["pack", "--dry-run", "--json"], { cwd: `${root}/dist` }));
    assert.deepEqual(files.map(({ path }) => path).filter((path) => !/\.(c?js|c?js\.map|d\.c?ts|wasm|sql|md|txt)$|^LICENSE$|^package\.json$/.test(path)), []);
  });

  test("cargo would publish the crates for users, in one command", async () => {
    const crates = ["edge-session-crypto", "edge-session", "edge-session-kv-model"].flatMap((name) => ["--package", name]);
    // What `cargo publish` does before the upload. The index of the registry is only asked for crates that this machine does not know.
    const cargo = (...args) => succeed("cargo", ["package", "--allow-dirty", ...args], { cwd: root });
    await cargo("--offline", "--no-verify", ...crates).catch(() => cargo("--no-verify", ...crates));
    const files = (await cargo("--quiet", "--list", "--package", "edge-session")).trim().split("\n");
    for (const name of ["LICENSE", "README.md", "CHANGELOG.md", "src/lib.rs"]) assert.ok(files.includes(name), name);
    assert.deepEqual(files.filter((path) => !/^(src\/.*\.rs|[A-Z]+(\.md)?|Cargo\.(toml|toml\.orig|lock)|\.cargo_vcs_info\.json)$/.test(path)), []);
  });

  for (const resolution of ["bundler", "nodenext"]) {
    test(`TypeScript, strict, with moduleResolution ${resolution}`, async () => {
      await succeed("tsc", ["--project", `${resolution}.json`], at("types"));
    });
  }

  test("every TypeScript and JavaScript example in the documents compiles", async () => {
    const examples = writeExamples(at("documents").cwd);
    assert.ok(examples.length >= 10, examples.join(", "));
    await succeed("tsc", ["--project", "tsconfig.json"], at("documents"));
  });

  for (const [name, program, missing] of [["Node 20", process.env.NODE_20, "NODE_20 does not name a Node 20"], ["Node 24", process.execPath]]) {
    const node = (...args) => succeed(program, args, at("node"));
    const skip = program ? false : missing;

    test(`${name} imports it and requires it`, { skip }, async () => {
      assert.match(await node("--version"), new RegExp(`^v${name.slice(5)}\\.`));
      const output = "alice\ntrue ES_KEY_ERROR\nKV PUT failed: 429 Too Many Requests\n";
      assert.equal(await node("import.mjs"), output);
      assert.equal(await node("require.cjs"), output);
      assert.equal(await node("--no-experimental-require-module", "require.cjs"), output, "as before 20.19");
    });

    test(`in ${name}, import and require return the same module, with one WebAssembly`, { skip }, async () => {
      assert.equal(await node("both.mjs"), "1 true\n");
    });
  }

  for (const [name, cookies] of [["typescript-worker", []], ["hono-worker", ["name"]]]) {
    test(`${name}, served by wrangler: counts visits, logs in, and out`, async (t) => {
      const { url, stop } = await serve(at(name).cwd);
      t.after(stop);
      const one = visitor(url);
      assert.equal((await one.get("/")).text, "Visit number 1");
      assert.equal((await one.get("/")).text, "Visit number 2");
      const anonymous = { ...one.jar };
      assert.deepEqual(Object.keys(anonymous), ["__Host-sessionid-anonymous"]);
      const login = await one.post("/login");
      assert.deepEqual([login.text, login.cookies], ["Welcome", [...cookies, "__Host-sessionid", "__Host-sessionid-anonymous"]]);
      assert.deepEqual([login.headers.get("Vary"), login.headers.get("Cache-Control")], ["Cookie", "private, no-store"]);
      const late = await visitor(url, anonymous).get("/");
      assert.doesNotMatch(late.text, /Visit/, "the old key is superseded, and its save is refused");
      assert.deepEqual(late.cookies, []);
      assert.equal((await one.get("/")).text, "Visit number 3");
      const loggedIn = { ...one.jar };
      assert.deepEqual(Object.keys(loggedIn), ["__Host-sessionid"]);
      assert.doesNotMatch((await one.get("/logout")).text, /Goodbye/, "a link logs no visitor out");
      assert.equal((await one.post("/logout")).text, "Goodbye");
      assert.deepEqual(one.jar, {});
      for (const jar of [anonymous, loggedIn]) {
        assert.equal((await visitor(url, jar).get("/")).text, "Visit number 1", "the session has ended");
      }
    });
  }

  test("service-bindings, served by wrangler: three Workers with one session", async (t) => {
    const { cwd } = at("service-bindings");
    writeFileSync(`${cwd}/.dev.vars`, 'SESSION_SECRET="a secret of at least thirty-two bytes"\n');
    const { url, stop } = await serve(cwd, ["site.toml", "account.toml", "blog.toml"]);
    t.after(stop);
    const one = visitor(url);
    const sees = async (...texts) => {
      for (const [index, path] of ["/", "/account/", "/blog/"].entries()) assert.equal((await one.get(path)).text, texts[index]);
    };
    await sees("Visit number 1 of a stranger: no orders", "The account of a stranger, after 1 visits", "The blog, for a stranger");
    const login = await one.post("/account/login");
    assert.deepEqual([login.status, login.cookies], [303, ["__Host-sessionid", "__Host-sessionid-anonymous"]]);
    assert.deepEqual([login.headers.get("Vary"), login.headers.get("Cache-Control")], ["Cookie", "private, no-store"]);
    await sees("Visit number 2 of alice: a book for alice, a pen for alice", "The account of alice, after 2 visits", "The blog, for alice");
    assert.equal((await one.post("/account/logout")).status, 303);
    assert.deepEqual(one.jar, {});
    await sees("Visit number 1 of a stranger: no orders", "The account of a stranger, after 1 visits", "The blog, for a stranger");
  });

  for (const [name, binding] of [["typescript-worker", "SESSIONS"], ["hono-worker", "SESSIONS"], ["my-devices", "SESSION_OBJECTS"]]) {
    test(`${name}, as wrangler would deploy it: one script, and one WebAssembly`, async () => {
      assert.match(await succeed("wrangler", ["deploy", "--dry-run", "--outdir", "deployed"], at(name)), new RegExp(`env\\.${binding} `));
      const files = readdirSync(`${folder}/${name}/deployed`).map((file) => extname(file));
      assert.deepEqual(files.filter((kind) => [".js", ".wasm"].includes(kind)).sort(), [".js", ".wasm"]);
    });
  }

  test("a consumer's own tests, with vitest in workerd: on the simulator's KV, and on the model", async () => {
    assert.match(await succeed("vitest", ["run"], at("vitest-workerd")), /2 passed \(2\)/);
  });

  test("the testing guide's test of a Worker, with vitest in Node", async () => {
    assert.match(await succeed("vitest", ["run"], at("typescript-worker")), /1 passed/);
  });

  test("Vite, built and in development, in Chromium", async (t) => {
    const options = { root: at("vite-browser").cwd, logLevel: "warn" };
    const port = { port: 0, host: "localhost" };
    const browser = await launch();
    t.after(() => browser.close());
    await build(options);
    const built = await preview({ ...options, preview: port });
    t.after(() => built.close());
    const developed = await createServer({ ...options, server: port });
    t.after(() => developed.close());
    await developed.listen();
    for (const { resolvedUrls } of [built, developed]) {
      const page = await browser.newPage();
      await page.goto(resolvedUrls.local[0]);
      await page.getByText("Hello alice").waitFor();
    }
  });
});
