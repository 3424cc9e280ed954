import { createNextSession } from "edge-session/next";
import { cookies } from "next/headers";
import { options } from "../pages.mjs";

// Next loads this module once for pages, and once more for route handlers: both need the same store in memory.
globalThis.options ??= options;

export const { getSession, withSession } = createNextSession(globalThis.options, cookies);
