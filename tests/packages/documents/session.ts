// The module that the examples in `docs/guides/frameworks/next.md` and those for a migration share is the guide's first example in TypeScript.

export { getSession, withSession, type Data } from "./docs-guides-frameworks-next-1.js";
