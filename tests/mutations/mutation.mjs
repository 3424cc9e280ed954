// Mutations: planted changes of the sources that the tests have to detect. A mutation finds its place by a marker, a comment
// `// mutation: name` at the end of the line that it changes or on a line of its own above it, and replaces a part of that line:
// `{ what, marker, from, to }`, or `{ what, edits: [{ marker, from, to }, …] }`. `from` is a text that the line contains once, or a
// regular expression.

import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Stop } from "../../scripts/print.mjs";
import { root } from "../../scripts/project.mjs";

const MARKER = /\/\/ mutation: ([a-z0-9-]+)\s*$/;

/** The files that every cargo build needs. The native tests include the last five. */
const always = ["src", "crates", "npm", "worker", "examples", "scripts", "docs", "tests", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "README.md", "fuzz/corpus.rs", "fuzz/corpus.tar.gz", "fuzz/regressions", "package.json", "wrangler.toml"];

/** A mutation whose marker or fragment is not where its list says. */
export class Misplaced extends Error {}

/** The files below a folder of the project. */
function filesBelow(path) {
  if (statSync(path).isFile()) return [path];
  const names = readdirSync(path).filter((name) => name !== "node_modules");
  return names.flatMap((name) => filesBelow(join(path, name)));
}

/** The markers in a text, each with the index of the line that it marks. */
export function markersOf(text) {
  return text.split("\n").flatMap((line, at) => {
    const name = line.match(MARKER)?.[1];
    if (!name) return [];
    return [{ name, at: line.trimStart().startsWith("//") ? at + 1 : at }];
  });
}

/** The places of all markers in the sources of a project, by their names. */
export function findMarkers(project = root) {
  const places = new Map();
  for (const path of ["src", "npm"].map((folder) => join(project, folder)).filter(existsSync).flatMap(filesBelow)) {
    if (!/\.(rs|ts)$/.test(path)) continue;
    for (const { name } of markersOf(readFileSync(path, "utf8"))) {
      places.set(name, [...(places.get(name) ?? []), relative(project, path)]);
    }
  }
  return places;
}

/** The text with the fragment of the marked line replaced. */
export function changed(text, { marker, from, to }) {
  const lines = text.split("\n");
  const { at } = markersOf(text).find(({ name }) => name === marker);
  const line = lines[at] ?? "";
  const end = MARKER.exec(line)?.index ?? line.length;
  const [code, comment] = [line.slice(0, end), line.slice(end)];
  const found = typeof from === "string" ? code.split(from).length - 1 : Number(from.test(code));
  if (found !== 1) {
    throw new Misplaced(`the line of the marker ${marker} contains ${found ? `${found} times` : "no"} "${from}": "${code.trim()}"`);
  }
  lines[at] = code.replace(from, () => to) + comment;
  if (lines[at] === line) throw new Misplaced(`the change at the marker ${marker} leaves its line as it is`);
  return lines.join("\n");
}

/** The changed texts of the files that a mutation concerns, by their paths in the project. */
export function mutated(mutation, places, project) {
  const texts = new Map();
  for (const edit of mutation.edits ?? [mutation]) {
    const files = places.get(edit.marker) ?? [];
    if (files.length !== 1) {
      throw new Misplaced(`the marker ${edit.marker} is ${files.length ? `in the sources ${files.length} times: ${files.join(", ")}` : "in no file of src and npm"}`);
    }
    const [file] = files;
    texts.set(file, changed(texts.get(file) ?? readFileSync(join(project, file), "utf8"), edit));
  }
  return texts;
}

/** The errors in the lists of mutations, found without a build. */
export function misplaced(lists, project = root) {
  const places = findMarkers(project);
  const [errors, used] = [[], new Set()];
  for (const mutations of lists) {
    const names = new Set();
    for (const mutation of mutations) {
      const { what, edits = [mutation] } = mutation;
      if (names.has(what)) errors.push(`Two mutations of one list are called "${what}". Rename one.`);
      names.add(what);
      edits.forEach(({ marker }) => used.add(marker));
      try {
        mutated(mutation, places, project);
      } catch (error) {
        if (!(error instanceof Misplaced)) throw error;
        errors.push(`"${what}" cannot be planted: ${error.message}.`);
      }
    }
  }
  for (const [marker, files] of places) {
    if (!used.has(marker)) errors.push(`The marker ${marker} in ${files.join(", ")} has no mutation. Remove it, or add the mutation.`);
  }
  return errors;
}

/**
 * A copy of the sources for a suite, with a build folder of its own. Files that have not changed since the last copy are kept, so
 * that cargo rebuilds changed ones only.
 */
export function copySources(suite, parts) {
  const [copy, target] = ["tree", "build"].map((name) => join(root, "target", "mutations", suite, name));
  const wanted = [...always, ...parts].flatMap((part) => filesBelow(join(root, part))).map((path) => relative(root, path));
  const kept = new Set(wanted);
  mkdirSync(copy, { recursive: true });
  for (const part of readdirSync(copy)) {
    if (part === "node_modules") continue;
    for (const path of filesBelow(join(copy, part))) if (!kept.has(relative(copy, path))) rmSync(path);
  }
  for (const path of wanted) {
    const [bytes, place] = [readFileSync(join(root, path)), join(copy, path)];
    if (existsSync(place) && bytes.equals(readFileSync(place))) continue;
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, bytes);
  }
  rmSync(join(copy, "node_modules"), { force: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  return { copy, target };
}

/** Makes a mutation's changes in a copy for as long as `work` takes. */
export async function planted(copy, mutation, work) {
  const texts = mutated(mutation, findMarkers(copy), copy);
  const before = new Map([...texts.keys()].map((file) => [file, readFileSync(join(copy, file))]));
  try {
    for (const [file, text] of texts) writeFileSync(join(copy, file), text);
    return await work([...texts.keys()]);
  } finally {
    for (const [file, bytes] of before) writeFileSync(join(copy, file), bytes);
  }
}

/** The mutations of one of several shares: `"2/5"` is the second of five. */
export function shareOf(mutations, share) {
  const [, number, of] = share.match(/^([1-9]\d*)\/([1-9]\d*)$/)?.map(Number) ?? [];
  if (!(number <= of)) throw new Stop(`"${share}" is no share. The second of five is "2/5".`);
  return mutations.filter((_, index) => index % of === number - 1);
}

/** Returns which of a number of shares belongs to a commit. */
export function shareOfCommit(commit, shares) {
  if (!/^[0-9a-f]{7,64}$/.test(commit)) throw new Stop(`"${commit}" is not the hash of a commit. \`git rev-parse HEAD\` prints one.`);
  return `${Number(BigInt(`0x${commit}`) % BigInt(shares)) + 1}/${shares}`;
}
