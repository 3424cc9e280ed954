import type { Session } from "edge-session";
import { session } from "edge-session/h3";
import { toResponse } from "nitro/h3";
import { options } from "../../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };

declare module "nitro/h3" {
  interface H3EventContext {
    session: Session<Data>;
  }
}

export default session<Data>(options, toResponse);
