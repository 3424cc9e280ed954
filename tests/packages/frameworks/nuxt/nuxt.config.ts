import { fileURLToPath } from "node:url";

const pages = fileURLToPath(new URL("../pages.mjs", import.meta.url)); // outside of this folder

export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  nitro: {
    externals: { inline: [pages] },
    // For Workers.
    experimental: { wasm: true },
    alias: { "./edge-session.wasm": "edge-session/edge-session.wasm?module" },
    cloudflare: { deployConfig: true },
  },
});
