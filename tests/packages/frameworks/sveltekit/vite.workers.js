import { fileURLToPath } from "node:url";
import { sveltekit } from "@sveltejs/kit/vite";
import adapter from "./workers/adapter.js";

export default {
  plugins: [sveltekit({ adapter: adapter(), experimental: { remoteFunctions: true } })],
  resolve: { alias: { "#options": fileURLToPath(new URL("../options.workers.mjs", import.meta.url)) } }, // SvelteKit builds with Node's conditions
};
