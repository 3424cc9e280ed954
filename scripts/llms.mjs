// The list of the documents for language models, in the form of llmstxt.org: a title, a summary, and links with a sentence each.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./project.mjs";

/** The folders of the documents, with their headings. */
const sections = { "docs/guides": "Guides", "docs/reference": "Reference", "docs/concepts": "Concepts" };

/** Returns the text of llms.txt. Its links are paths from the root of the repository, which the package has as well. */
export function llmsTxt({ description }) {
  const parts = Object.entries(sections).map(([folder, heading]) => `## ${heading}\n\n${documents(folder).map(link).join("\n")}\n`);
  return `# edge-session\n\n> ${description} All of Django's session calls, for Cloudflare Workers, Node, Deno, Bun and frameworks.\n\n${parts.join("\n")}`;
}

/** The paths of all documents that it lists. */
export const listedDocuments = () => Object.keys(sections).flatMap(documents);

/** The paths of the documents in a folder and below it, in alphabetical order. */
function documents(folder) {
  const names = readdirSync(join(root, folder), { recursive: true }).map((name) => name.replaceAll("\\", "/"));
  return names.filter((name) => name.endsWith(".md")).sort().map((name) => `${folder}/${name}`);
}

function link(path) {
  const text = readFileSync(join(root, path), "utf8");
  const [, title] = /^# (.+)$/m.exec(text);
  const paragraph = text.split("\n\n").find((part) => /^([A-Z\[]|`[^`])/.test(part)) ?? "";
  const plain = paragraph.replaceAll("\n", " ").replace(/\[([^\]]+)\]\([^)]*\)/g, "$1");
  const [sentence] = /^.*?[.:](?= |$)/.exec(plain) ?? [plain];
  return `* [${title}](${path}): ${sentence.replace(/:$/, ".")}`;
}
