import { session, type SessionLocals } from "edge-session/sveltekit";
import { options } from "../../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };

declare global {
  namespace App {
    interface Locals extends SessionLocals<Data> {}
  }
}

export const handle = session<Data>({ ...options, maxRecordBytes: 4096 });
