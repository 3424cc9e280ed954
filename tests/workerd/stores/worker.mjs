// The Worker whose Durable Objects the tests call.

export { SessionObject } from "../../../dist/durable-object/index.js";

export default { fetch: () => new Response() };
