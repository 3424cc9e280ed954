// What a response says about its session. What its headers have to be, the core decides.

import { cacheControl, sharedCacheHeaders, vary } from "#core";

/** The headers of a response that has none yet. */
export function newHeaders(setCookie: string | undefined): [name: string, value: string][] {
  const [plainVary, kept, notKept] = (plain ??= [vary(""), cacheControl("", false), cacheControl("", true)]);
  if (setCookie === undefined) return [["Vary", plainVary], ["Cache-Control", kept]];
  return [["Vary", plainVary], ["Cache-Control", notKept], ["Set-Cookie", setCookie]];
}

let plain: [string, string, string] | undefined;

/** Makes a response one that depends on its cookie, and, where it sets one, one that nobody keeps. */
export function mergeHeaders(headers: Headers, setCookie: string | undefined): void {
  headers.set("Vary", vary(headers.get("Vary") ?? ""));
  headers.set("Cache-Control", cacheControl(headers.get("Cache-Control") ?? "", setCookie !== undefined));
  for (const name of (shared ??= sharedCacheHeaders().split(" "))) headers.delete(name);
  if (setCookie !== undefined) headers.append("Set-Cookie", setCookie);
}

let shared: string[] | undefined;
