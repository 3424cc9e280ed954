import { fileURLToPath } from "node:url";

const pages = fileURLToPath(new URL("../pages.mjs", import.meta.url)); // outside of this folder

// The guide's settings for Workers.
const forWorkers = {
  experimental: { wasm: true },
  alias: { "./edge-session.wasm": "edge-session/edge-session.wasm?module" },
  cloudflare: { deployConfig: true },
};

export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  nitro: { externals: { inline: [pages] }, ...(process.env.NITRO_PRESET ? forWorkers : {}) },
});
