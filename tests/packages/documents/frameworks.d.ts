// The parts of the frameworks that the guides use, which are not installed here.

declare module "react-router" {
  interface RouterContext<T> {
    defaultValue?: T;
  }
  interface RouterContextProvider {
    get<T>(context: RouterContext<T>): T;
    set<C extends RouterContext<unknown>>(context: C, value: C extends RouterContext<infer T> ? T : never): void;
  }
  export function createContext<T>(): RouterContext<T>;
  interface DataFunctionArgs {
    request: Request;
    context: Readonly<RouterContextProvider>;
  }
  export interface LoaderFunctionArgs extends DataFunctionArgs {}
  export interface ActionFunctionArgs extends DataFunctionArgs {}
  export type MiddlewareFunction<Result> = (args: DataFunctionArgs, next: () => Promise<Result>) => Promise<Result | void>;
  export function redirect(url: string, init?: number | ResponseInit): Response;
  export function createRequestHandler(build: () => Promise<object>, mode?: string): (request: Request) => Promise<Response>;
  interface Session<Data, Flash> {
    has(name: (keyof Data | keyof Flash) & string): boolean;
    get<Key extends (keyof Data | keyof Flash) & string>(
      name: Key,
    ): (Key extends keyof Data ? Data[Key] : undefined) | (Key extends keyof Flash ? Flash[Key] : undefined) | undefined;
    set<Key extends keyof Data & string>(name: Key, value: Data[Key]): void;
    flash<Key extends keyof Flash & string>(name: Key, value: Flash[Key]): void;
  }
  export interface SessionStorage<Data, Flash = Data> {
    getSession(cookie?: string | null): Promise<Session<Data, Flash>>;
    commitSession(session: Session<Data, Flash>): Promise<string>;
    destroySession(session: Session<Data, Flash>): Promise<string>;
  }
}

declare module "virtual:react-router/server-build" {}

interface ImportMeta {
  env: { MODE: string };
}

declare module "@react-router/cloudflare" {
  import type { SessionStorage } from "react-router";
  export function createWorkersKVSessionStorage<Data, Flash = Data>(options: { kv: object; cookie: object }): SessionStorage<Data, Flash>;
}

declare module "astro" {
  export type APIRoute = (context: {
    request: Request;
    locals: App.Locals;
    redirect(path: string, status: number): Response;
  }) => Promise<Response> | Response;
}

declare module "$app/env" {
  export const building: boolean;
}

declare module "@sveltejs/kit/hooks" {
  interface RequestEvent {
    readonly locals: object;
    readonly request: Request;
  }
  export type Handle = (input: {
    event: RequestEvent;
    resolve: (event: RequestEvent) => Response | Promise<Response>;
  }) => Response | Promise<Response>;
}

declare module "@sveltejs/kit" {
  export function redirect(status: number, location: string): never;
}

declare module "h3" {
  export interface H3EventContext {}
  interface H3Event {
    req: Request;
    res: { headers: Headers };
    context: H3EventContext;
    app?: { config: object };
  }
  type Handler = (event: H3Event) => unknown;
  type Middleware = (event: H3Event, next: () => unknown) => unknown;
  export class H3 {
    use(middleware: Middleware): this;
    get(path: string, handler: Handler): this;
    post(path: string, handler: Handler): this;
  }
  export function defineHandler(handler: Handler): Handler;
  export function defineMiddleware(middleware: Middleware): Middleware;
  export function iterable(parts: AsyncIterable<string>): object;
  export function redirect(location: string, status?: number): object;
  export function serve(app: H3, options?: { port: number }): object;
  export function toResponse(value: unknown, event: H3Event, config?: object): Response | Promise<Response>;
}

declare module "nitro/h3" {
  export * from "h3";
}

// Nuxt imports these into its server and its configuration.
declare const defineNitroPlugin: (plugin: import("edge-session/nuxt").NuxtSessionPlugin) => object;
declare const defineNuxtConfig: (config: { nitro: object }) => object;
declare const defineEventHandler: (handler: (event: import("h3").H3Event) => unknown) => object;
declare const sendRedirect: (event: import("h3").H3Event, location: string, status: number) => Promise<void>;

declare module "#shared/session" {
  export type Data = { visits: number; user: string; message: string };
}

declare module "nitro/config" {
  export function defineNitroConfig(config: object): object;
}

declare module "@opennextjs/cloudflare" {
  export function getCloudflareContext(): { env: typeof import("cloudflare:workers").env };
}

declare module "@tanstack/react-start" {
  export interface Register {}
  type Context = Register extends { server: { requestContext: infer Context } } ? Context : object;
  interface Middleware {
    server(handler: (options: {
      request: Request;
      next<Context>(options: { context: Context }): Promise<{ context: Context; response: Response }>;
    }) => unknown): Middleware;
  }
  export function createMiddleware(): Middleware;
  export function createCsrfMiddleware(options: { filter(context: { handlerType: "router" | "serverFn" }): boolean }): Middleware;
  export function createStart(options: () => { requestMiddleware: Middleware[] }): object;
  export function createServerFn(options?: { method: "GET" | "POST" }): {
    handler<Result>(handler: (options: { context: Context }) => Result): () => Promise<Awaited<Result>>;
  };
}

declare module "@tanstack/react-start/server-entry" {
  import type { Register } from "@tanstack/react-start";
  type Context = Register extends { server: { requestContext: infer Context } } ? Context : object;
  interface ServerEntry {
    fetch(request: Request, options: { context: Context }): Response | Promise<Response>;
  }
  const handler: ServerEntry;
  export default handler;
  export function createServerEntry(entry: ServerEntry): ServerEntry;
}

declare module "@tanstack/react-router" {
  export function redirect(options: { to: string }): Response;
}
