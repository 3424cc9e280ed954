// Request and response of a framework, for libraries that need them.

/** A request with the text of a Cookie header. */
export function request(cookie) {
  return new Request("https://example.com/", { headers: { Cookie: cookie } });
}

/** The text of the Set-Cookie header, if there is one. */
export function cookieHeader(headers) {
  return headers.getSetCookie()[0];
}

/** Visits a Hono application, whose handler runs `env.change` on the session. */
export function honoVisit(app) {
  return async (cookie, change) => {
    const response = await app.fetch(request(cookie), { change });
    if (response.status !== 200) throw new Error(`the application answered ${response.status}`);
    return cookieHeader(response.headers);
  };
}
