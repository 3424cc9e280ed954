// The plugin that the examples in `docs/guides/frameworks/elysia.md` share is the guide's first example.

export { withSession } from "./docs-guides-frameworks-elysia-1.js";
