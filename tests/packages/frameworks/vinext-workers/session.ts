import { env } from "cloudflare:workers";
import { kv } from "edge-session";
import { createNextSession } from "edge-session/next";
import { cookies } from "next/headers";

export const { getSession, withSession } = createNextSession(() => ({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] }), cookies);
