// No session: the cost of a Request and of a response's Headers.

import { cookieHeader, request } from "../shell.mjs";

export default function shell() {
  async function write(cookie) {
    const asked = request(cookie).headers.get("Cookie");
    const headers = new Headers();
    headers.append("Set-Cookie", `sid=${asked.length}; Path=/; Secure; HttpOnly; SameSite=Lax`);
    return cookieHeader(headers);
  }
  async function read(cookie) {
    request(cookie).headers.get("Cookie");
    return cookieHeader(new Headers());
  }
  return { shell: true, fill: write, visit: write, read, anonymous: read };
}
