// In the place of @sveltejs/adapter-cloudflare 8, of which npm has pre-releases only that do not know SvelteKit 3.2. As it does, this leaves
// packages and their WebAssembly to wrangler, and lets the build, which runs in Node, import `cloudflare:workers`.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const stub = new URL("stub.js", import.meta.url).href;

export default () => ({
  name: "workers",
  adapt(builder) {
    rmSync("build", { recursive: true, force: true });
    const server = "build/server";
    builder.writeServer(server);
    for (const name of readdirSync(server, { recursive: true }).filter((name) => name.endsWith(".js"))) {
      const file = join(server, name);
      writeFileSync(file, readFileSync(file, "utf8").replaceAll(stub, "cloudflare:workers"));
    }
    builder.generateServerInstance("build/instance.js", { serverDirectory: server });
    builder.copy("workers/worker.js", "build/worker.js");
    builder.writeClient("build/assets");
    builder.writePrerendered("build/assets");
  },
  vite: {
    plugins: [{ name: "bindings", enforce: "pre", resolveId: (id) => (id === "cloudflare:workers" ? { id: stub, external: true } : null) }],
  },
});
