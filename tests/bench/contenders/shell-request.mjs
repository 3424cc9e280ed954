// No session: the cost of a Request and of a response's Headers.

import { cookieHeader, request } from "../shell.mjs";

export default function shell() {
  return {
    shell: true,
    async fill(cookie) {
      return this.visit(cookie);
    },
    async visit(cookie) {
      const asked = request(cookie).headers.get("Cookie");
      const headers = new Headers();
      headers.append("Set-Cookie", `sid=${asked.length}; Path=/; Secure; HttpOnly; SameSite=Lax`);
      return cookieHeader(headers);
    },
  };
}
