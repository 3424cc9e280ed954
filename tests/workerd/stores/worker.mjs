// The Worker whose Durable Objects the tests call.

import { DurableObject } from "cloudflare:workers";

export { SessionObject } from "../../../dist/durable-object/index.js";

/** A class without the methods of a SessionObject. */
export class OtherObject extends DurableObject {}

export default { fetch: () => new Response() };
