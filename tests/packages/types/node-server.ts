// What TypeScript accepts and what it refuses of the middleware for Node, of the plugin for Fastify and of the store for express-session, in a
// project without the types of Node and of these packages.

import { createSessions, memory } from "edge-session";
import { type FastifyApplication, session as plugin } from "edge-session/fastify";
import { expressSessionStore, type NodeRequest, type NodeResponse, session, type SessionMiddleware, type SessionRequest } from "edge-session/node";

interface Data {
  visits: number;
}

const middleware: SessionMiddleware = session<Data>({ store: memory(), secrets: [] });

export async function serve(request: NodeRequest & SessionRequest<Data>, response: NodeResponse): Promise<number | undefined> {
  // @ts-expect-error: without `next`
  await middleware(request, response);
  // @ts-expect-error: a Response of fetch
  await middleware(request, new Response(), () => {});
  return middleware(request, response, (error) => {
    if (error !== undefined) throw error;
    // @ts-expect-error: not a number
    request.session.set("visits", "1");
    return request.session.get("visits");
  });
}

// @ts-expect-error: no secrets
session({ store: memory() });

export async function register(app: FastifyApplication): Promise<void> {
  await plugin(app, { store: memory(), secrets: [] });
  await plugin(app, createSessions<Data>({ store: memory(), secrets: [] }));
  // @ts-expect-error: no secrets
  await plugin(app, { store: memory() });
}

declare abstract class Base {
  abstract get(id: string): void;
  load(id: string): void;
}

export const store: Base = expressSessionStore(Base, memory(), { keyPrefix: "shop", ttl: 3600 });
// @ts-expect-error: no store
expressSessionStore(Base);
// @ts-expect-error: not a text
expressSessionStore(Base, memory(), { ttl: "3600" });
