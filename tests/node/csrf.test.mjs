// Which requests come from pages of other sites.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as send } from "node:http";
import { test } from "node:test";
import { isCrossSite } from "../../dist/csrf/index.js";

const HERE = "https://example.com";
const request = (headers, method = "POST") => new Request(`${HERE}/form`, { method, headers });

test("a page of this site may change something, and a program may, and a page of another site may not", () => {
  for (const [headers, expected] of [
    [{ "Sec-Fetch-Site": "same-origin" }, false],
    [{ "Sec-Fetch-Site": "none" }, false],
    [{ "Sec-Fetch-Site": "same-site" }, true],
    [{ "Sec-Fetch-Site": "cross-site" }, true],
    [{ "Sec-Fetch-Site": "something new" }, true],
    [{ Origin: HERE }, false],
    [{ Origin: "https://evil.example" }, true],
    [{ Origin: "http://example.com" }, true],
    [{ Origin: "https://example.com:8443" }, true],
    [{ Origin: "https://sub.example.com" }, true],
    [{ Origin: "null" }, true],
    [{ Origin: "" }, true],
    [{ "Sec-Fetch-Site": "cross-site", Origin: HERE }, true],
    [{}, false],
  ]) {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "PURGE"]) assert.equal(isCrossSite(request(headers, method)), expected, `${method} ${JSON.stringify(headers)}`);
    for (const method of ["GET", "HEAD", "OPTIONS"]) assert.equal(isCrossSite(request(headers, method)), false);
  }
});

test("behind a proxy that changes the host, Sec-Fetch-Site decides", () => {
  const inside = new Request("http://10.0.0.7:3000/form", { method: "POST", headers: { "Sec-Fetch-Site": "same-origin", Origin: HERE } });
  assert.equal(isCrossSite(inside), false);
  const old = new Request("http://10.0.0.7:3000/form", { method: "POST", headers: { Origin: HERE } });
  assert.equal(isCrossSite(old), true);
  assert.equal(isCrossSite(old, { trustedOrigins: [HERE] }), false);
});

test("pages of trusted origins may change something", () => {
  const options = { trustedOrigins: ["https://admin.example.com"] };
  for (const [origin, expected] of [["https://admin.example.com", false], ["http://admin.example.com", true], ["https://admin.example.com.evil.example", true]]) {
    assert.equal(isCrossSite(request({ "Sec-Fetch-Site": "same-site", Origin: origin }), options), expected);
    assert.equal(isCrossSite(request({ Origin: origin }), options), expected);
  }
});

test("a request of node:http is taken as it is", async (t) => {
  const answers = [];
  const server = createServer((request, response) => response.end(String(answers.push(isCrossSite(request)))));
  server.listen(0, "localhost");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address();
  const post = async (headers, method = "POST") => {
    const [response] = await once(send({ port, method, headers }).end(), "response");
    response.resume();
    await once(response, "end");
  };
  await post({ Origin: `http://localhost:${port}` });
  await post({ Origin: "https://evil.example" });
  await post({ Origin: "null" });
  await post({ "Sec-Fetch-Site": "cross-site" });
  await post({ "Sec-Fetch-Site": "same-origin" });
  await post({});
  await post({ Origin: "https://evil.example" }, "GET");
  assert.deepEqual(answers, [false, true, true, true, false, false, false]);
});
