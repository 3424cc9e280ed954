import { cloudflare } from "@cloudflare/vite-plugin";
import { reactRouter } from "@react-router/dev/vite";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [cloudflare({ viteEnvironment: { name: "ssr" } }), reactRouter()],
  // The entry of a project without @react-router/node, which this one has for its server on Node.
  resolve: { alias: [{ find: /entry\.server\.node\.tsx$/, replacement: "entry.server.web.tsx" }] },
});
