// The classes of the Durable Objects: that of the Worker that is deployed, and one without its methods.

import { DurableObject } from "cloudflare:workers";

export { SessionObject, default } from "../../../worker/build/index.js";

export class OtherObject extends DurableObject {}
