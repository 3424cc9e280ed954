// The module that the recipes in `docs/guides/frameworks.md` share is the guide's first example.

export { sessions, type Data } from "./docs-guides-frameworks-1.js";
