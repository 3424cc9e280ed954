import type { Session } from "edge-session";

export type Data = { visits: number; user: string; message: string; essay: string };

declare module "h3" {
  interface H3EventContext {
    session: Session<Data>;
  }
}
