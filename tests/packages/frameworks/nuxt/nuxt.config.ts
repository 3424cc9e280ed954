import { fileURLToPath } from "node:url";

const pages = fileURLToPath(new URL("../pages.mjs", import.meta.url)); // outside of this folder
const tsConfig = { compilerOptions: { paths: { h3: ["../../node_modules/h3-1"] } } }; // or the types of h3 2 would be found

export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  typescript: { tsConfig },
  nitro: {
    externals: { inline: [pages] },
    typescript: { tsConfig },
    // For Workers.
    experimental: { wasm: true },
    alias: { "./edge-session.wasm": "edge-session/edge-session.wasm?module" },
    cloudflare: { deployConfig: true },
  },
});
