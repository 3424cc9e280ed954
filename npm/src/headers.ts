// The response headers of a session. The core decides their content.

import { cacheControl, sharedCacheHeaders, vary } from "#core";

/** Returns the headers for a response that has none yet. `setCookies` are the `Set-Cookie` headers. */
export function newHeaders(setCookies: string[]): [name: string, value: string][] {
  const [plainVary, cacheable, notCacheable] = (defaults ??= [vary(""), cacheControl("", false), cacheControl("", true)]);
  const headers: [string, string][] = [["Vary", plainVary], ["Cache-Control", setCookies.length > 0 ? notCacheable : cacheable]];
  for (const line of setCookies) headers.push(["Set-Cookie", line]);
  return headers;
}

let defaults: [string, string, string] | undefined;

/** Marks a response as dependent on its cookie. If it sets a cookie, no cache may store it. */
export function mergeHeaders(headers: Headers, setCookies: string[]): void {
  headers.set("Vary", vary(headers.get("Vary") ?? "")); // mutation: js-vary
  headers.set("Cache-Control", cacheControl(headers.get("Cache-Control") ?? "", setCookies.length > 0));
  for (const name of (namesToRemove ??= sharedCacheHeaders().split(" "))) headers.delete(name);
  for (const line of setCookies) headers.append("Set-Cookie", line);
}

let namesToRemove: string[] | undefined;
