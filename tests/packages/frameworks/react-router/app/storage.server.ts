// The storage has the type of React Router's own.

import { createEdgeSessionStorage } from "edge-session/react-router";
import type { SessionStorage } from "react-router";
import { options } from "../../pages.mjs";

export const storage: SessionStorage<{ user: string }, { message: string }> = createEdgeSessionStorage<{ user: string }, { message: string }>(options);

export async function logIn(request: Request): Promise<string> {
  const session = await storage.getSession(request.headers.get("Cookie"));
  session.set("user", session.get("message") ?? "alice");
  // @ts-expect-error: not a text
  session.set("user", 1);
  return storage.commitSession(session, { maxAge: 60 });
}
