// What a response says about its session. What its headers have to be, the core decides.

import { cacheControl, sharedCacheHeaders, vary } from "#core";

/** The headers of a response that has none yet. The `Set-Cookie` lines come with a line feed between them. */
export function newHeaders(setCookies: string | undefined): [name: string, value: string][] {
  const [plainVary, kept, notKept] = (plain ??= [vary(""), cacheControl("", false), cacheControl("", true)]);
  if (setCookies === undefined) return [["Vary", plainVary], ["Cache-Control", kept]];
  const cookies = setCookies.split("\n").map((line): [string, string] => ["Set-Cookie", line]);
  return [["Vary", plainVary], ["Cache-Control", notKept], ...cookies];
}

let plain: [string, string, string] | undefined;

/** Makes a response one that depends on its cookie, and, where it sets one, one that nobody keeps. */
export function mergeHeaders(headers: Headers, setCookies: string | undefined): void {
  headers.set("Vary", vary(headers.get("Vary") ?? "")); // mutation: js-vary
  headers.set("Cache-Control", cacheControl(headers.get("Cache-Control") ?? "", setCookies !== undefined));
  for (const name of (shared ??= sharedCacheHeaders().split(" "))) headers.delete(name);
  for (const line of setCookies?.split("\n") ?? []) headers.append("Set-Cookie", line);
}

let shared: string[] | undefined;
