import { createNextSession } from "edge-session/next";
import { cookies } from "next/headers";
import { options } from "../pages.mjs";

type Data = { visits: number; user: string; message: string; book: string };

// Next loads this module once for pages, and once more for route handlers: both need the same store in memory.
const shared = globalThis as typeof globalThis & { options?: typeof options };

export const { getSession, withSession } = createNextSession<Data>(shared.options ??= options, cookies);
