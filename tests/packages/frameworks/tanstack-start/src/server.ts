import handler, { createServerEntry } from "@tanstack/react-start/server-entry";
import { type SessionContext, withSession } from "edge-session/tanstack-start";
import { options } from "../../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };

declare module "@tanstack/react-start" {
  interface Register {
    server: { requestContext: SessionContext<Data> };
  }
}

export default createServerEntry(withSession<Data>(handler, options));
