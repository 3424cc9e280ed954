// The cookies of a response as frameworks take them, instead of a `Set-Cookie` header.

/** A cookie to set: the arguments of a framework's `cookies.set`. */
export interface SessionCookie {
  name: string;
  value: string;
  options: SessionCookieOptions;
}

/** The attributes of a cookie, under the names that frameworks share. */
export interface SessionCookieOptions {
  path: string;
  domain?: string;
  /** In seconds. Without it, the cookie ends when the browser closes. */
  maxAge?: number;
  secure: boolean;
  httpOnly: boolean;
  sameSite: "strict" | "lax" | "none";
  partitioned?: boolean;
}

/** Returns the cookie of a `Set-Cookie` header that the core wrote. */
export function toCookie(line: string): SessionCookie {
  const [pair, ...parts] = line.split("; ") as [string, ...string[]];
  const attributes = new Map(parts.map((part) => part.split("=") as [string, string]));
  const value = (name: string): string | undefined => attributes.get(name);
  const [domain, maxAge] = [value("Domain"), value("Max-Age")];
  const at = pair.indexOf("=");
  return {
    name: pair.slice(0, at),
    value: pair.slice(at + 1),
    options: {
      path: value("Path") ?? "/",
      ...(domain !== undefined && { domain }),
      ...(maxAge !== undefined && { maxAge: Number(maxAge) }),
      secure: attributes.has("Secure"),
      httpOnly: attributes.has("HttpOnly"),
      sameSite: (value("SameSite") ?? "lax").toLowerCase() as SessionCookieOptions["sameSite"],
      ...(attributes.has("Partitioned") && { partitioned: true }),
    },
  };
}
