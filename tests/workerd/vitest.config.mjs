// The tests that run inside workerd, against the Worker that is deployed; those in outside/ look at it from there.

import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("../..", import.meta.url));

export default defineConfig({
  root,
  plugins: [cloudflareTest({
    wrangler: { configPath: `${root}wrangler.toml` },
    miniflare: { ratelimits: { RATE_LIMIT: { namespace_id: "1001", simple: { limit: 3, period: 60 } } } },
  })],
  resolve: { alias: { "edge-session": `${root}dist/workerd.js` } },
  test: { include: ["tests/workerd/*.test.mjs"], testTimeout: 30_000, maxConcurrency: 20 },
});
