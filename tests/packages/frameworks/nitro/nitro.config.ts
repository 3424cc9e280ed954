import { fileURLToPath } from "node:url";
import { defineNitroConfig } from "nitro/config";
import type { NitroConfig } from "nitro/types";

const pages = fileURLToPath(new URL("../pages.mjs", import.meta.url)); // outside of this folder

const onNode = { externals: { inline: [pages] } };

const onWorkers: NitroConfig = {
  preset: "cloudflare_module",
  compatibilityDate: "2026-10-01",
  alias: { "./edge-session.wasm": "edge-session/edge-session.wasm?module" },
  moduleSideEffects: ["edge-session"],
  experimental: { wasm: true },
  minify: false, // or the build needs @rollup/plugin-terser
};

export default defineNitroConfig(process.env.WORKERS ? onWorkers : onNode);
