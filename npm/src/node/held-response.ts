// A response of `node:http` whose headers and body are held back until its session is committed.

import type { NodeResponse } from "./index.js";

/** Any method of a response, since their overloads differ. */
type Method = (...parameters: unknown[]) => unknown;
type Methods = Record<"writeHead" | "write" | "end" | "flushHeaders" | "setHeader" | "appendHeader" | "removeHeader", Method>;

/**
 * `open`: the handler sent nothing yet. `held`: its calls wait for the commit. `sent`: calls go to the response. `failed`: so do those of the
 * page of an error, until it ends. `replaced`: the response has ended with an error, and calls are ignored.
 */
type State = "open" | "held" | "sent" | "failed" | "replaced";

const DISCONNECTED = new Error("the client disconnected before the response began");

export class HeldResponse {
  /** Resolves to the status and the headers when the handler begins to send. Rejects if the client disconnects before. */
  readonly begun: Promise<Response>;
  readonly #response: NodeResponse;
  /** The methods of the response before this one. */
  readonly #methods = {} as Methods;
  /** The headers of the response before this middleware: they stay when the response is replaced. */
  readonly #headersBefore: [string, string | string[]][];
  #state: State;
  #calls: [name: keyof Methods, parameters: unknown[]][] = [];
  #status = 200;
  #head: Response | undefined;
  #begin!: (head: Response) => void;

  constructor(response: NodeResponse) {
    this.#response = response;
    this.#headersBefore = headersOf(response);
    this.#state = response.headersSent ? "sent" : "open";
    this.begun = new Promise((resolve, reject) => {
      this.#begin = resolve;
      response.once("close", () => reject(DISCONNECTED));
    });
    this.begun.catch(() => {}); // it can end before the session is loaded
    if (this.#state === "open") this.#intercept();
  }

  /** Replaces the methods that send, for good: a later middleware can have wrapped the new ones. */
  #intercept(): void {
    const [response, methods] = [this.#response as unknown as Methods, this.#methods];
    for (const name of ["writeHead", "write", "end", "flushHeaders"] as const) {
      methods[name] = response[name];
      response[name] = (...parameters) => {
        if (this.#state !== "sent" && this.#state !== "failed") return this.#hold(name, parameters);
        const result = methods[name].apply(response, parameters);
        if (this.#state === "failed" && name === "end") this.#state = "replaced";
        return result;
      };
    }
    for (const name of ["setHeader", "appendHeader", "removeHeader"] as const) {
      methods[name] = response[name];
      response[name] = (...parameters) => {
        if (this.#state === "held") throw headersSent();
        return methods[name].apply(response, parameters);
      };
    }
    this.#override("headersSent", () => this.#state === "held");
    this.#override("writableEnded", () => this.#calls.some(([name]) => name === "end"));
  }

  /** Makes a property true while `value` returns true. */
  #override(name: "headersSent" | "writableEnded", value: () => boolean): void {
    const response = this.#response;
    const get = (): unknown => value() || Reflect.get(Object.getPrototypeOf(response) as object, name, response);
    Object.defineProperty(response, name, { configurable: true, get });
  }

  /** Keeps a call until the commit, which the first one starts, and returns what Node would to a writer that has to wait. */
  #hold(name: keyof Methods, parameters: unknown[]): unknown {
    const result = name === "write" ? false : name === "flushHeaders" ? undefined : this.#response;
    if (this.#state === "replaced") {
      drop([[name, parameters]]);
      return result;
    }
    if (name === "writeHead") parameters = this.#writeHead(parameters);
    this.#calls.push([name, parameters]);
    if (this.#state === "open") {
      this.#state = "held";
      this.#status = this.#response.statusCode;
      const headers = new Headers();
      for (const [name, value] of headersOf(this.#response)) for (const line of [value].flat()) headers.append(name, line);
      this.#head = new Response(null, { status: this.#status < 500 ? 200 : 500, headers }); // the exact status can be one that it refuses
      this.#begin(this.#head);
    }
    return result;
  }

  /** Sets the status and the headers of `writeHead`, so that the commit sees them. Returns the other parameters. */
  #writeHead([status, ...rest]: unknown[]): unknown[] {
    if (this.#state === "held") throw headersSent();
    const message = typeof rest[0] === "string" ? [rest[0]] : [];
    const headers = rest[message.length] ?? rest[1];
    if (Array.isArray(headers)) {
      const list: unknown[] = Array.isArray(headers[0]) ? headers.flat() : headers;
      for (let n = 0; n < list.length; n += 2) this.#response.removeHeader(list[n] as string);
      for (let n = 0; n < list.length; n += 2) this.#response.appendHeader(list[n] as string, list[n + 1] as string);
    } else {
      for (const [name, value] of Object.entries(headers ?? {})) this.#response.setHeader(name, value as string);
    }
    this.#response.statusCode = Number(status);
    return [status, ...message];
  }

  /** Sends what was held back, with the headers of the commit. */
  release(answer: Response): void {
    this.#state = "sent";
    const response = this.#response;
    if (answer !== this.#head) this.#merge(answer.headers);
    const status = this.#status === 500 ? answer.status : this.#status; // the commit makes it 503 after a failure of the store
    if (status !== this.#status) Object.assign(response, { statusMessage: "" });
    response.statusCode = status;
    const calls = this.#calls.splice(0);
    let [waits, ended] = [false, false];
    for (let [name, parameters] of calls) {
      if (name === "writeHead" && status !== this.#status) parameters = [status];
      const result = this.#methods[name].apply(response, parameters);
      if (name === "write") waits = result === true;
      if (name === "end") ended = true;
    }
    if (waits && !ended) response.emit("drain"); // the writer was asked to wait, and Node does not know it
  }

  /** Takes over what the commit changed. */
  #merge(headers: Headers): void {
    const response = this.#response;
    for (const [name] of headersOf(response)) if (!headers.has(name)) response.removeHeader(name);
    for (const name of ["Vary", "Cache-Control"]) if (headers.has(name)) response.setHeader(name, headers.get(name)!);
    const cookies = headers.getSetCookie();
    if (cookies.length > 0) response.setHeader("Set-Cookie", cookies);
  }

  /** Sends the response to an error. Headers from before this middleware stay. */
  async replace(answer: Response): Promise<void> {
    const page = new Uint8Array(await answer.arrayBuffer());
    this.#state = "sent";
    this.#reset(answer.status);
    for (const [name, value] of answer.headers) this.#response[name === "vary" || name === "set-cookie" ? "appendHeader" : "setHeader"](name, value);
    this.#response.setHeader("Content-Length", String(page.length)); // Node adds none to a response from which one was removed
    this.#methods.end.call(this.#response, page);
    this.#state = "replaced";
    drop(this.#calls.splice(0));
  }

  /** Removes what the handler set. */
  #reset(status: number): void {
    const removed = headersOf(this.#response).filter(([name]) => name !== "connection" && name !== "date"); // or Node sends none
    for (const [name] of removed) this.#response.removeHeader(name);
    for (const [name, value] of this.#headersBefore) this.#response.setHeader(name, value);
    Object.assign(this.#response, { statusCode: status, statusMessage: "" });
  }

  /** Opens the response for the page of an error. Returns the error, or undefined if no page can be sent. */
  abandon(error: unknown): unknown {
    this.#state = error === DISCONNECTED ? "sent" : "failed";
    drop(this.#calls.splice(0));
    if (error === DISCONNECTED) return undefined;
    if (this.#response.headersSent) return void this.#response.destroy(error as Error);
    if (this.#head) this.#reset(500);
    return error;
  }
}

/** The headers of a response, as texts. */
function headersOf(response: NodeResponse): [string, string | string[]][] {
  return Object.entries(response.getHeaders()).map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]);
}

/** Calls the callbacks of calls that will not be made. */
function drop(calls: [name: string, parameters: unknown[]][]): void {
  for (const [, parameters] of calls) {
    const callback = parameters.at(-1);
    if (typeof callback === "function") queueMicrotask(() => void callback(new Error("the response was replaced by an error")));
  }
}

/** The error of Node for a header that comes too late. */
function headersSent(): Error {
  return Object.assign(new Error("Cannot set headers after they are sent to the client"), { code: "ERR_HTTP_HEADERS_SENT" });
}
