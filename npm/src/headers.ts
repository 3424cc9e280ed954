// The response headers of a session. The core decides their content.

import { cacheControl, sharedCacheHeaders, vary } from "#core";
import { ValueError } from "./errors.js";

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

/** Throws a `ValueError` if the headers cannot be changed. */
export function checkMutable(headers: Headers): void {
  try {
    headers.delete("Edge-Session-Probe"); // of headers that cannot be changed, it throws for any name
  } catch (cause) {
    throw new ValueError("nothing was saved, since the headers cannot be changed; pass new Headers(response.headers)", { cause });
  }
}
