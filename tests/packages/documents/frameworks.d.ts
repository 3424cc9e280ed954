// The parts of the frameworks that the recipes in `docs/guides/frameworks.md` use, which are not installed here.

declare module "react-router" {
  interface RouterContext<T> {
    defaultValue?: T;
  }
  interface RouterContextProvider {
    get<T>(context: RouterContext<T>): T;
    set<T>(context: RouterContext<T>, value: T): void;
  }
  export function createContext<T>(): RouterContext<T>;
  export type MiddlewareFunction<Result> = (
    args: { request: Request; context: Readonly<RouterContextProvider> },
    next: () => Promise<Result>,
  ) => Promise<Result | void>;
}

declare module "astro" {
  export type MiddlewareHandler = (
    context: { request: Request; locals: App.Locals; isPrerendered: boolean },
    next: () => Promise<Response>,
  ) => Promise<Response> | Response | Promise<void> | void;
}

declare module "@sveltejs/kit/hooks" {
  interface RequestEvent {
    request: Request;
    locals: App.Locals;
  }
  export type Handle = (input: {
    event: RequestEvent;
    resolve: (event: RequestEvent) => Promise<Response>;
  }) => Promise<Response> | Response;
}

declare module "h3" {
  interface H3EventContext {}
  interface H3Event {
    req: Request;
    res: { headers: Headers };
    context: H3EventContext;
    app?: { config: object };
  }
  type Middleware = (event: H3Event, next: () => unknown) => unknown;
  export function defineMiddleware(middleware: Middleware): Middleware;
  export function toResponse(value: unknown, event: H3Event, config?: object): Response | Promise<Response>;
}

declare module "@tanstack/react-start" {
  interface Middleware {
    server(handler: (options: {
      request: Request;
      next<Context>(options: { context: Context }): Promise<{ context: Context; response: Response }>;
    }) => unknown): Middleware;
  }
  export function createMiddleware(): Middleware;
  export function createCsrfMiddleware(options: { filter(context: { handlerType: "router" | "serverFn" }): boolean }): Middleware;
  export function createStart(options: () => { requestMiddleware: Middleware[] }): object;
}
