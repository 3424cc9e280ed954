// The platform's class that `edge-session/durable-object` extends, in a project without the types that `wrangler types` writes.

declare module "cloudflare:workers" {
  export abstract class DurableObject {
    constructor(context: unknown, env: unknown);
  }
}
