// The types of the package, in the oldest TypeScript that they support, and in newer ones.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../../scripts/project.mjs";
import { succeed } from "../installed.mjs";
import { folder, install } from "./servers.mjs";

await install();
const place = join(folder, "types", "build");
mkdirSync(place, { recursive: true });
copyFileSync(join(root, "tests/packages/types/data.ts"), join(place, "data.ts"));

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  skipLibCheck: false,
  target: "es2022",
  lib: ["es2022", "esnext.disposable", "dom"],
  module: "nodenext",
  moduleResolution: "nodenext",
  types: [],
};
writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["data.ts"] }));

for (const version of ["5.2", "5.9", "7"]) {
  test(`TypeScript ${version} agrees with each line about the types of data`, async () => {
    await succeed("node", [join(folder, "node_modules", `typescript-${version}`, "bin", "tsc")], { cwd: place });
  });
}
