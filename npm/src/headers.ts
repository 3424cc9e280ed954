// The response headers of a session. The core decides their content.

import { cacheControl, sharedCacheHeaders, vary } from "#core";

/** Returns the headers for a response that has none yet. `setCookies` are the `Set-Cookie` headers, separated by line feeds. */
export function newHeaders(setCookies: string | undefined): [name: string, value: string][] {
  const [plainVary, cacheable, notCacheable] = (defaults ??= [vary(""), cacheControl("", false), cacheControl("", true)]);
  if (setCookies === undefined) return [["Vary", plainVary], ["Cache-Control", cacheable]];
  const cookies = setCookies.split("\n").map((line): [string, string] => ["Set-Cookie", line]);
  return [["Vary", plainVary], ["Cache-Control", notCacheable], ...cookies];
}

let defaults: [string, string, string] | undefined;

/** Marks a response as dependent on its cookie. If it sets a cookie, no cache may store it. */
export function mergeHeaders(headers: Headers, setCookies: string | undefined): void {
  headers.set("Vary", vary(headers.get("Vary") ?? "")); // mutation: js-vary
  headers.set("Cache-Control", cacheControl(headers.get("Cache-Control") ?? "", setCookies !== undefined));
  for (const name of (namesToRemove ??= sharedCacheHeaders().split(" "))) headers.delete(name);
  for (const line of setCookies?.split("\n") ?? []) headers.append("Set-Cookie", line);
}

let namesToRemove: string[] | undefined;
