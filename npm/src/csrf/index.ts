// The public API of `edge-session/csrf`: recognises requests that pages of other sites send.

/** A request of the platform, or one of `node:http`. */
export interface CsrfRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: { get(name: string): string | null } | { readonly [name: string]: string | string[] | undefined };
}

/** Options of `isCrossSite`. */
export interface CsrfOptions {
  /** Other origins whose pages may change something here, such as `https://admin.example.com`. Default: none. */
  trustedOrigins?: readonly string[] | undefined;
}

/** The methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE = ["GET", "HEAD", "OPTIONS", "TRACE"];

/**
 * Returns true if a page of another site or of another subdomain sent this request, and its method can change something: refuse it with the
 * status 403. A browser sets the headers that are checked by itself: `Sec-Fetch-Site`, or in older ones `Origin`. A request with neither comes
 * from no page, and has only cookies of its own.
 *
 * The cookie's `SameSite=Lax` keeps most of these requests out already, but none of another subdomain. Behind a proxy that changes the host or
 * the scheme, name the public origin in `trustedOrigins`, for browsers from before 2023.
 *
 * @example
 * if (isCrossSite(request)) return new Response("Send this form from our own page.", { status: 403 });
 */
export function isCrossSite(request: CsrfRequest, { trustedOrigins = [] }: CsrfOptions = {}): boolean {
  if (SAFE.includes(request.method ?? "GET")) return false;
  const origin = header(request, "origin");
  if (origin !== null && trustedOrigins.includes(origin)) return false;
  const site = header(request, "sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  return origin !== null && !isOwn(origin, request);
}

function header({ headers }: CsrfRequest, name: string): string | null {
  const value: unknown = typeof headers.get === "function" ? headers.get(name) : (headers as Record<string, unknown>)[name];
  return typeof value === "string" ? value : null;
}

/** Compares with the URL of the request. One of `node:http` has the host only, in a header. */
function isOwn(origin: string, request: CsrfRequest): boolean {
  if (URL.canParse(request.url ?? "")) return new URL(request.url!).origin === origin;
  return URL.canParse(origin) && new URL(origin).host === header(request, "host");
}
