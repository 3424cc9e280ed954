// The public API of `edge-session/fastify`: a plugin for Fastify.

import { type NodeRequest, type NodeResponse, session as middlewareOf, type SessionRequest } from "../node/index.js";
import type { SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";

/** The part of a Fastify request that the plugin uses. */
export interface FastifyRequestWithSession {
  readonly raw: NodeRequest;
}

/** The part of a Fastify reply that the plugin uses. */
export interface FastifyReply {
  readonly raw: NodeResponse;
  readonly sent: boolean;
  getHeaders(): object;
  send(error: Error): unknown;
}

/** The part of a Fastify instance that the plugin uses. */
export interface FastifyApplication {
  decorateRequest(name: "session"): unknown;
  addHook(
    name: "onRequest",
    hook: (request: FastifyRequestWithSession, reply: FastifyReply, done: (error?: Error) => void) => void,
  ): unknown;
}

/** The `Sessions` of any type of data. */
export interface FastifySessions {
  commitHeaders(...parameters: never[]): Promise<unknown>;
  run(...parameters: never[]): Promise<unknown>;
}

/** A plugin for `app.register`. Its hook applies to the instance that registers it, and to the children of that instance. */
export type FastifySessionPlugin = (app: FastifyApplication, options: SessionOptions | FastifySessions) => Promise<void>;

/**
 * Loads the session of each request as `request.session`, and commits it before the headers of the reply are sent, also those of streams, of
 * Fastify's 404 page and of a reply that `reply.hijack()` left to the handler. The options are those of `createSessions`, or its `Sessions`.
 *
 * A reply with a status of 500 or more saves nothing, nor does one whose client has disconnected. If the session cannot be saved, the reply is
 * replaced by one with the status of the error, 503, 400, 409 or 413, and with the headers from before the plugin. Another error of the
 * commit goes to the error handler. If the session cannot be read, its first use in the handler throws an error with the status 503.
 *
 * @example
 * declare module "fastify" {
 *   interface FastifyRequest {
 *     session: Session<Data>;
 *   }
 * }
 *
 * app.register(session, { store: memory(), secrets: [process.env.SESSION_SECRET!] });
 * app.get("/", async ({ session }) => {
 *   session.set("visits", session.get("visits", 0) + 1);
 *   return { visits: session.get("visits") };
 * });
 */
export const session: FastifySessionPlugin = Object.assign(plugin, {
  // What the package fastify-plugin sets: the hook belongs to the instance that registers the plugin, not to a child of it.
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "edge-session",
  [Symbol.for("plugin-meta")]: { name: "edge-session", fastify: ">=5" },
});

/** Asynchronous, so that an invalid option rejects `app.ready()` instead of ending the process. */
async function plugin(app: FastifyApplication, options: SessionOptions | FastifySessions): Promise<void> {
  const middleware = middlewareOf(options as SessionOptions | Sessions);
  app.decorateRequest("session");
  app.addHook("onRequest", (request, reply, done) => {
    const { raw } = reply;
    // Fastify keeps the headers of earlier hooks, such as those of @fastify/cors, to itself. They stay if the reply is replaced.
    for (const [name, value] of Object.entries(reply.getHeaders())) raw.setHeader(name, value as string);
    let started = false;
    void middleware(request.raw, raw, (error) => {
      if (!started) {
        started = true;
        Object.assign(request, { session: (request.raw as Partial<SessionRequest>).session });
        return done(error as Error | undefined);
      }
      if (reply.sent) throw error; // Fastify sends nothing for a hijacked reply; the middleware closes its connection
      reply.send(error as Error);
    });
  });
}
