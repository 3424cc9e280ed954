// The module that the page in `docs/guides/frameworks/next.md` imports is the guide's second example in TypeScript.

export { logIn } from "../docs-guides-frameworks-next-2.js";
