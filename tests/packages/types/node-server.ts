// What TypeScript accepts and what it refuses of the middleware for Node, in a project without the types of Node and Express.

import { memory } from "edge-session";
import { type NodeRequest, type NodeResponse, session, type SessionMiddleware, type SessionRequest } from "edge-session/node";

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
