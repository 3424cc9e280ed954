// A Worker without sessions of its own.

type Env = { VISITORS: { userOf(cookie: string | null): Promise<string | undefined> } };

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const user = await env.VISITORS.userOf(request.headers.get("Cookie"));
    return new Response(`The blog, for ${user ?? "a stranger"}`, { headers: { Vary: "Cookie", "Cache-Control": "private" } });
  },
};
