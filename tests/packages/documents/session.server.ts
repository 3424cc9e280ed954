// The module that the guides to React Router share is the guide's first example.

export { getSession, sessionMiddleware } from "./docs-guides-frameworks-react-router-1.js";
