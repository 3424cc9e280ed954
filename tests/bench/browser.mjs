// A browser for measurements: one connection, one session, one request at a time. Node's own client costs more than some Workers.

import { createConnection } from "node:net";

export class Browser {
  #connection;
  #cookie = "consent=yes";
  #received = "";
  #waiting;

  /** The number of visits that the last response told. */
  visits = 0;

  constructor(connection) {
    this.#connection = connection.setEncoding("latin1").setNoDelay(true);
    connection.on("data", (text) => this.#receive(text));
    connection.on("error", (error) => this.#waiting?.reject(error));
    connection.on("close", () => this.#waiting?.reject(new Error("the connection was closed")));
  }

  /** Connects to a Unix socket. */
  static connect(path) {
    return new Promise((resolve, reject) => {
      const connection = createConnection(path);
      connection.once("error", reject);
      connection.once("connect", () => {
        connection.off("error", reject);
        resolve(new Browser(connection));
      });
    });
  }

  /** Requests the page, and checks that it counts this visit. */
  async visit() {
    const body = await this.get();
    const { visits } = JSON.parse(body);
    if (visits !== this.visits + 1) throw new Error(`visit ${this.visits + 1} was counted as ${body}`);
    this.visits = visits;
  }

  /** Requests the page, and returns the body of the response. */
  get() {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#connection.write(`GET / HTTP/1.1\r\nHost: localhost\r\nCookie: ${this.#cookie}\r\n\r\n`);
    });
  }

  close() {
    this.#waiting = undefined;
    this.#connection.destroy();
  }

  #receive(text) {
    this.#received += text;
    const response = parsed(this.#received);
    if (!response) return;
    const { status, cookie, body } = response;
    this.#received = "";
    if (cookie) this.#cookie = `consent=yes; ${cookie}`;
    if (status === "200") this.#waiting.resolve(body);
    else this.#waiting.reject(new Error(`status ${status}: ${body}`));
  }
}

/** Returns the parts of a response in HTTP/1.1, or undefined as long as it is not complete. */
export function parsed(text) {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return;
  const header = (name) => new RegExp(`\r\n${name}: *([^\r]*)`, "i").exec(text.slice(0, head))?.[1];
  const isChunked = header("transfer-encoding");
  const body = isChunked ? unchunked(text, head + 4) : complete(text.slice(head + 4), Number(header("content-length")));
  if (body === undefined) return;
  return { status: text.slice(9, 12), cookie: header("set-cookie")?.split(";")[0], body };
}

function complete(body, length) {
  return body.length >= length ? body : undefined;
}

function unchunked(text, start) {
  for (let body = "", at = start; ; ) {
    const end = text.indexOf("\r\n", at);
    if (end < 0) return;
    const size = parseInt(text.slice(at, end), 16);
    if (text.length < end + size + 4) return;
    if (size === 0) return body;
    body += text.slice(end + 2, end + 2 + size);
    at = end + size + 4;
  }
}
