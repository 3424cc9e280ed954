// The parts of the packages that the guides to servers and to migrations use, which are not installed here.

declare namespace Bun {
  function sleep(milliseconds: number): Promise<void>;
}

declare module "elysia" {
  import type { Session } from "edge-session";
  interface Context {
    request: Request;
    redirect(url: string, status: number): Response;
  }
  type Handle = (request: Request) => Response | Promise<Response>;
  type Page<Derived> = (context: Context & Derived) => unknown;
  export class Elysia<Derived = {}> {
    constructor(config?: { name: string });
    wrap(wrapper: (handle: Handle, request: Request) => Handle): this;
    derive<More>(scope: { as: "global" }, derive: (context: Context) => More): Elysia<Derived & More>;
    use<More>(plugin: Elysia<More>): Elysia<Derived & More>;
    get(path: string, page: Page<Derived>): this;
    post(path: string, page: Page<Derived>): this;
    listen(port: number): this;
  }
}

declare module "express-session" {
  import type { RequestHandler } from "express";
  function session(options: {
    store?: session.Store;
    secret: string;
    resave: boolean;
    saveUninitialized: boolean;
    cookie?: { maxAge?: number; secure?: boolean };
  }): RequestHandler;
  namespace session {
    abstract class Store {
      abstract get(id: string, callback: (error: unknown, session?: Record<string, unknown> | null) => void): void;
      abstract set(id: string, session: object, callback?: (error?: unknown) => void): void;
      abstract destroy(id: string, callback?: (error?: unknown) => void): void;
    }
  }
  export = session;
}

declare module "cookie-signature" {
  export function unsign(signed: string, secret: string): string | false;
}

declare module "unstorage" {
  export function createStorage(options: { driver: unknown }): import("edge-session/unstorage").UnstorageStorage;
}

declare module "unstorage/drivers/redis" {
  export default function redis(options: { url: string }): unknown;
}

declare module "hono-sessions" {
  import type { MiddlewareHandler } from "hono";
  export interface Session<Data> {
    get<Key extends keyof Data>(key: Key): Data[Key] | null;
    set<Key extends keyof Data>(key: Key, value: Data[Key]): void;
    flash<Key extends keyof Data>(key: Key, value: Data[Key]): void;
    deleteSession(): void;
  }
  export interface Store {
    getSessionById(id: string): unknown;
  }
  export function sessionMiddleware(options: { store: Store; encryptionKey?: string; expireAfterSeconds?: number }): MiddlewareHandler;
}

declare module "@hono/session" {
  import type { MiddlewareHandler } from "hono";
  export interface Session<Data> {
    get(): Promise<Data | null>;
    update(change: Data | ((data: Data | null) => Data)): Promise<void>;
    delete(): void;
  }
  export function useSession(options: { secret: string; duration?: { absolute: number } }): MiddlewareHandler;
}

declare module "next/headers" {
  type Cookie = { name: string; value: string };
  interface Cookies {
    getAll(): Cookie[];
    set(name: string, value: string, options?: { path?: string; sameSite?: boolean | "lax" | "strict" | "none" }): Cookies;
    delete(name: string): Cookies;
  }
  export function cookies(): Promise<Cookies>;
}

declare module "next/navigation" {
  export function redirect(url: string): never;
}

declare module "iron-session" {
  export function getIronSession<Data extends object>(
    cookies: { getAll(): object[] },
    options: { cookieName: string; password: string },
  ): Promise<Data & { save(): Promise<void>; destroy(): void }>;
}
