// The stores inside workerd, on real KV, D1 and Durable Objects.

import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export default defineConfig({
  root,
  plugins: [
    cloudflareTest(async () => ({
      wrangler: { configPath: `${root}tests/workerd/stores/wrangler.toml` },
      miniflare: { bindings: { MIGRATIONS: await readD1Migrations(`${root}migrations`) } },
    })),
  ],
  test: { include: ["tests/workerd/stores/*.test.mjs"], testTimeout: 30_000 },
});
