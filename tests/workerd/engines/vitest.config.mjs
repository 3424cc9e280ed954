// The engines of the Rust Workers inside workerd, on real KV, Durable Objects and D1.

import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export default defineConfig({
  root,
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: `${root}tests/workerd/engines/wrangler.toml` },
      miniflare: { bindings: { MIGRATIONS: await readD1Migrations(`${root}migrations`) } },
    })),
  ],
  resolve: { alias: { "edge-session": `${root}dist/workerd.js` } },
  test: { include: ["tests/workerd/engines/*.test.mjs"], testTimeout: 30_000 },
});
