import { fileURLToPath } from "node:url";
import { defineNitroConfig } from "nitro/config";
import type { NitroConfig } from "nitro/types";

const outside = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url)); // of this folder
const options = outside("options.mjs");

const onNode: NitroConfig = { alias: { "#options": options }, externals: { inline: [outside("pages.mjs"), options] } };

const onWorkers: NitroConfig = {
  preset: "cloudflare_module",
  compatibilityDate: "2026-10-01",
  alias: { "./edge-session.wasm": "edge-session/edge-session.wasm?module" },
  moduleSideEffects: ["edge-session"],
  experimental: { wasm: true },
  minify: false, // or the build needs @rollup/plugin-terser
};

export default defineNitroConfig(process.env.WORKERS ? onWorkers : onNode);
