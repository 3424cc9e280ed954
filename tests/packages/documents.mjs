// The TypeScript and JavaScript examples in the documents. `tests/native/documents.rs` checks those in other languages.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/project.mjs";

/** The programs that other tests run. A block with one of these texts is a copy. */
const programs = ["typescript-worker/minimal.ts", "typescript-worker/worker.ts", "typescript-worker/worker.test.ts", "hono-worker/worker.ts", ...["site", "account", "blog"].map((name) => `service-bindings/${name}.ts`)];

/** The paths of the documents. */
function documents() {
  const docs = readdirSync(join(root, "docs"), { recursive: true }).filter((name) => name.endsWith(".md"));
  return ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", ...docs.map((name) => join("docs", name))];
}

/** The blocks of a document in a language: the text of each. */
function blocks(path, language) {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, code]) => code);
}

/**
 * Writes each example into a file of its own in `folder`, named after its document, and returns their names. A short example
 * becomes a module, too, so that it can use `await` and declares no globals.
 */
export function writeExamples(folder) {
  const copies = programs.map((name) => readFileSync(join(root, "examples", name), "utf8"));
  return documents().flatMap((path) => ["ts", "tsx", "js"].flatMap((language) =>
    blocks(path, language).filter((code) => !copies.includes(code)).map((code, index) => {
      // Of a.ts, a.tsx and a.js, the compiler takes the first one only.
      const place = `${path.replace(/\.md$/, "").replaceAll(/[^\w-]/g, "-")}${language === "ts" ? "" : `-${language}`}`;
      const name = `${place}-${index + 1}.${language}`;
      writeFileSync(join(folder, name), /^(import|export) /m.test(code) ? code : `${code}export {};\n`);
      return name;
    })));
}
