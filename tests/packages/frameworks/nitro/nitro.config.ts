import { fileURLToPath } from "node:url";
import { defineNitroConfig } from "nitro/config";

const pages = fileURLToPath(new URL("../pages.mjs", import.meta.url)); // outside of this folder

export default defineNitroConfig({ externals: { inline: [pages] } });
