import { fileURLToPath } from "node:url";

// Outside of this folder. On Workers, the plugin takes the namespace itself.
const [pages, options] = ["pages", "options"].map((name) => fileURLToPath(new URL(`../${name}.mjs`, import.meta.url))) as [string, string];
const tsConfig = { compilerOptions: { paths: { h3: ["../../node_modules/h3-1"] } } }; // or the types of h3 2 would be found

export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  typescript: { tsConfig },
  alias: { "#options": options },
  nitro: {
    externals: { inline: [pages, options] },
    typescript: { tsConfig },
    // For Workers.
    experimental: { wasm: true },
    alias: { "./edge-session.wasm": "edge-session/edge-session.wasm?module" },
    cloudflare: { deployConfig: true },
  },
});
