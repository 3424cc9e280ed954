// What a response says about its session. What the headers have to be, the core decides.

import { cacheControl, sharedCacheHeaders, vary } from "#core";

let shared: string[] | undefined;

/** Makes a response one that depends on its cookie, and, where it sets one, one that nobody keeps. */
export function applyHeaders(headers: Headers, setCookie: string | undefined): void {
  headers.set("Vary", vary(headers.get("Vary") ?? ""));
  headers.set("Cache-Control", cacheControl(headers.get("Cache-Control") ?? "", setCookie !== undefined));
  shared ??= sharedCacheHeaders();
  for (const name of shared) headers.delete(name);
  if (setCookie !== undefined) headers.append("Set-Cookie", setCookie);
}
