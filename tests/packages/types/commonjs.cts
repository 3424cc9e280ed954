// A CommonJS module finds the same types.

import { createSessions, memory, type Session } from "edge-session";
import { KvModel } from "edge-session/testing";

const sessions = createSessions<{ user: string }>({ store: memory(), secrets: [] });

export async function user(request: Request): Promise<string | undefined> {
  const session: Session<{ user: string }> = await sessions.load(request);
  return session.get("user");
}

export const read = (model: KvModel): Promise<string | null> => model.at("AMS").get("key");
