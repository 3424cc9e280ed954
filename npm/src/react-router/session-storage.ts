// Sessions with the interface of React Router's `SessionStorage`.

import { createSessions, UsageError, ValueError } from "edge-session";
import type { SessionOptions } from "../options.js";
import type { Sessions } from "../sessions.js";
import type { Session } from "../types.js";

/** A session as React Router's `SessionStorage` has it, and `cycleKey`. */
export interface StorageSession<Data, FlashData = Data> {
  /** The session key, a secret that opens the session. Empty until the first `commitSession`. */
  readonly id: string;
  /** A copy of the data. A value of `flash` has the key `__flash_name__`. */
  readonly data: Partial<Data & { [Key in keyof FlashData as `__flash_${Key & string}__`]: FlashData[Key] }>;
  /** Returns whether there is a value, or one that was set by `flash`. */
  has(name: (keyof Data | keyof FlashData) & string): boolean;
  /** Returns a value. Removes it if it was set by `flash`: `commitSession` saves that. */
  get<Key extends (keyof Data | keyof FlashData) & string>(
    name: Key,
  ): (Key extends keyof Data ? Data[Key] : undefined) | (Key extends keyof FlashData ? FlashData[Key] : undefined) | undefined;
  /** Sets a value. Throws a `ValueError` with the path of a value that JSON cannot represent exactly. */
  set<Key extends keyof Data & string>(name: Key, value: Data[Key]): void;
  /** Sets a value until the first `get` of it. */
  flash<Key extends keyof FlashData & string>(name: Key, value: FlashData[Key]): void;
  /** Removes a value. */
  unset(name: keyof Data & string): void;
  /** Replaces the session key and keeps the data: call it at a login. React Router's own sessions have no such call. */
  cycleKey(): void;
}

/** React Router's `SessionStorage`, whose sessions have `cycleKey` as well. */
export interface EdgeSessionStorage<Data, FlashData = Data> {
  getSession: (cookieHeader?: string | null, options?: object) => Promise<StorageSession<Data, FlashData>>;
  commitSession: (session: StorageOperand, options?: StorageCookieOptions) => Promise<string>;
  destroySession: (session: StorageOperand, options?: object) => Promise<string>;
}

/** A session of `getSession`, also where its type is React Router's own `Session`. */
export interface StorageOperand {
  readonly id: string;
}

/** The options of the cookie that `commitSession` takes. */
export interface StorageCookieOptions {
  /** The seconds that the session lives after this and each later save. */
  maxAge?: number | undefined;
  /** The date at which the session ends. */
  expires?: Date | undefined;
}

/**
 * Returns sessions with the interface of React Router's `SessionStorage`, for applications that come from `createWorkersKVSessionStorage` or
 * `createCookieSessionStorage`. `createSessionMiddleware` does more with less code, since this interface returns nothing but a cookie:
 *
 * * The response gets neither `Vary: Cookie` nor `Cache-Control`: set `Cache-Control: private` on pages that show a session.
 * * The status of the response is not known: a session that is committed for an error page is saved.
 * * `commitSession` returns "" if the response needs no cookie, as when nothing changed: a browser ignores such a header. With the option
 *   `saveEveryRequest`, each commit renews the session and its cookie.
 * * `commitSession` and `destroySession` close the session: a second one throws a `SessionClosedError`.
 *
 * An object that `get` returned and that was changed in place is saved, as in React Router, unless the option `trackChanges` is false.
 *
 * `commitSession` takes the options `maxAge` and `expires`, which stay with the session, and throws a `ValueError` for others. Errors of the
 * session and its store are thrown, and have the `status` for the response.
 *
 * @example
 * export const storage = createEdgeSessionStorage<Data>({ store: kv(env.SESSIONS), secrets: [env.SESSION_SECRET] });
 *
 * const session = await storage.getSession(request.headers.get("Cookie"));
 * session.set("user", "alice");
 * return redirect("/", { headers: { "Set-Cookie": await storage.commitSession(session) } });
 */
export function createEdgeSessionStorage<Data extends object = Record<string, unknown>, FlashData extends object = Data>(
  options: SessionOptions | Sessions,
): EdgeSessionStorage<Data, FlashData> {
  const sessions: Sessions = "commitHeaders" in options ? options : createSessions({ trackChanges: true, ...options });
  const known = new WeakMap<object, Session>();

  const sessionOf = (storageSession: StorageOperand): Session => {
    const session = known.get(storageSession);
    if (!session) throw new UsageError("commitSession and destroySession take a session of getSession of the same storage");
    return session;
  };
  /** Commits a session and returns its cookie. A second one, at a login, deletes that of the anonymous session, which opens nothing any more. */
  const cookieOf = async (session: Session): Promise<string> => {
    const headers = await sessions.commitHeaders(session, 200);
    return headers.find(([name]) => name === "Set-Cookie")?.[1] ?? "";
  };

  return {
    async getSession(cookieHeader) {
      const session = await sessions.load(cookieHeader);
      const storageSession = toStorageSession<Data, FlashData>(session);
      known.set(storageSession, session);
      return storageSession;
    },
    async commitSession(storageSession, { maxAge, expires, ...others }: StorageCookieOptions = {}) {
      const session = sessionOf(storageSession);
      const [name] = Object.keys(others);
      if (name !== undefined) {
        throw new ValueError(`commitSession takes maxAge and expires, not ${name}; set the cookie's attributes in the options of the storage`);
      }
      const expiry = maxAge ?? expires;
      if (expiry !== undefined) session.setExpiry(expiry);
      return cookieOf(session);
    },
    async destroySession(storageSession) {
      const session = sessionOf(storageSession);
      await session.flush();
      return cookieOf(session);
    },
  };
}

const flashKey = (name: string): string => `__flash_${name}__`;

function toStorageSession<Data, FlashData>(session: Session): StorageSession<Data, FlashData> {
  return {
    get id() {
      return session.sessionKey ?? "";
    },
    get data() {
      return Object.fromEntries(session.items()) as StorageSession<Data, FlashData>["data"];
    },
    has: (name) => session.has(name) || session.has(flashKey(name)),
    get: (name) => (session.has(name) ? session.get(name) : session.pop(flashKey(name), undefined)) as never,
    set: (name, value) => void session.set(name, value),
    flash: (name, value) => void session.set(flashKey(name), value),
    unset: (name) => void session.delete(name),
    cycleKey: () => session.cycleKey(),
  };
}
