import { building } from "$app/env";
import type { Handle } from "@sveltejs/kit/hooks";
import { session, type SessionLocals } from "edge-session/sveltekit";
import { options } from "../../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };

declare global {
  namespace App {
    interface Locals extends SessionLocals<Data> {}
  }
}

const withoutSession: Handle = ({ event, resolve }) => resolve(event); // for pages that are prerendered

export const handle = building ? withoutSession : session<Data>({ ...options, maxRecordBytes: 4096 });
