// The way of the settings to the core.

import { CoreConsistency, CoreSettings } from "#core";
import { callCore } from "./core-errors.js";
import { ConfigError } from "./errors.js";
import type { SessionOptions } from "./options.js";
import { bytesIn } from "./realm.js";

export function jsonOf(settings: object): string {
  try {
    return String(JSON.stringify(settings, replacer)); // a `toJSON` can make it undefined
  } catch (cause) {
    throw new ConfigError("a setting could not be read", { cause });
  }
}

export function secretsOf(secrets: SessionOptions["secrets"]): Uint8Array[] {
  if (!Array.isArray(secrets)) throw new ConfigError("secrets must be an array of strings, such as [env.SESSION_SECRET]");
  return secrets.map(bytesOf);
}

export const CONSISTENCY = {
  eventual: CoreConsistency.Eventual,
  linearizable: CoreConsistency.Linearizable,
  migrating: CoreConsistency.Migrating,
  cookie: CoreConsistency.Cookie,
};

export function parseSettings(parts: Uint8Array[], settings: string, consistency: CoreConsistency): CoreSettings {
  const sizes = Uint32Array.from(parts, ({ length }) => length);
  const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return callCore(() => new CoreSettings(all, sizes, settings, consistency));
}

function bytesOf(secret: unknown): Uint8Array {
  if (typeof secret === "string") return new TextEncoder().encode(secret);
  const bytes = bytesIn(secret);
  if (bytes) return bytes.slice();
  throw new ConfigError(
    "one of secrets is missing: set SESSION_SECRET to at least 32 random bytes, in the environment (on Workers: `wrangler secret put " +
      "SESSION_SECRET`, and locally .dev.vars)",
  );
}

/** Converts values that JSON would omit or change to strings, which the core rejects. Omits null. */
function replacer(_name: string, value: unknown): unknown {
  if (value === null) return undefined;
  return ["string", "boolean", "object", "undefined"].includes(typeof value) || Number.isFinite(value) ? value : String(value);
}
