// Astro's session runtime, with the driver for KV that its Cloudflare adapter gives it.

import driver from "unstorage/drivers/cloudflare-kv-binding";
import { AstroCookies } from "../node_modules/astro/dist/core/cookies/cookies.js";
import { AstroSession, PERSIST_SYMBOL } from "../node_modules/astro/dist/core/session/runtime.js";
import { namespace } from "../kv.mjs";
import { request } from "../shell.mjs";

let drivers = 0; // Astro has one storage for the name of a driver

export default function astro(kv = namespace()) {
  const config = { driver: `cloudflare-kv-binding-${drivers++}`, options: { binding: kv } };

  async function visit(cookie, change) {
    const cookies = new AstroCookies(request(cookie), console);
    const session = new AstroSession({ cookies, config, runtimeMode: "production", driverFactory: driver, mockStorage: null, logger: console });
    await change(session);
    await session[PERSIST_SYMBOL]();
    return cookies.consume().next().value;
  }
  return {
    fill(cookie, data) {
      return visit(cookie, (session) => {
        for (const [key, value] of Object.entries(data)) session.set(key, value);
      });
    },
    visit(cookie, field, turn) {
      return visit(cookie, async (session) => session.set(field, turn(await session.get("user"), await session.get(field))));
    },
    read(cookie, field, look) {
      return visit(cookie, async (session) => look(await session.get("user"), await session.get(field)));
    },
    anonymous: (cookie, look) => visit(cookie, async (session) => look(await session.get("user"))),
    login(cookie, user) {
      return visit(cookie, async (session) => {
        await session.regenerate();
        session.set("user", user);
      });
    },
    logout: (cookie) => visit(cookie, (session) => session.destroy()),
  };
}
