// The platform's module, in a project without the types that `wrangler types` writes.

declare module "cloudflare:workers" {
  export abstract class DurableObject {
    constructor(context: unknown, env: unknown);
  }
  export abstract class WorkerEntrypoint<Env> {
    constructor(context: unknown, env: Env);
    protected env: Env;
  }
  export const env: { SESSIONS: import("edge-session").KvNamespace; SESSION_SECRET: string };
}
