// The data of the visitor's session, and the visits of each mode. Both are the same for every contender.

/**
 * The modes: `title`, the `field` that each visit reads beside the user, the `count` inside of it, and `next`, the value that the
 * visit writes. `sizes` overrides the sizes of the sessions, `note` explains the ratio.
 */
export const modes = {
  /** Writes a number of seven digits, beside everything else. */
  small: {
    title: "a small field written",
    field: "visits",
    count: (visits) => visits,
    next: (visits) => visits + 1,
  },
  /** Writes the object that holds most of the session's bytes, changed inside. */
  large: {
    title: "one large field rewritten",
    field: "cart",
    count: (cart) => cart.revision,
    next(cart) {
      cart.revision += 1;
      cart.items[cart.revision % cart.items.length].quantity = 1 + (cart.revision % 9);
      return cart;
    },
  },
  /** Writes nothing. */
  read: {
    title: "reading only",
    field: "visits",
    count: (visits) => visits,
  },
  /** Looks for the user without a session cookie. The floor has nothing to do there: it reads a session of this size instead. */
  anonymous: {
    title: "no session cookie",
    note: "× the floor's reading visit of a session",
    sizes: [200],
  },
};

const start = 1_000_000; // so that counting never adds a digit

/**
 * A session of about the given number of bytes of nested JSON, three quarters of them in one field, in ASCII: the floor's best
 * case.
 */
export function data(bytes) {
  const session = {
    user: { id: 48151, role: "editor" },
    visits: start,
    locale: "en-GB",
    cart: { revision: start, items: [item(0)] },
  };
  if (bytes >= 1000) {
    Object.assign(session, {
      csrf: "f3Qm0tZy8Kc1vWn5Rj7LbXo2",
      signedIn: 1_767_225_600,
      preferences: { theme: "dark", density: "compact", panels: { left: true, right: false, order: ["files", "search", "notes"] } },
      recent: [],
    });
  }
  const length = () => JSON.stringify(session).length;
  for (let n = 0; session.recent && length() < bytes / 4; n++) session.recent.push(page(n));
  for (let n = 1; length() < bytes; n++) session.cart.items.push(item(n));
  session.cart.items.pop();
  if (session.cart.items.length === 0) session.cart.items.push({ sku: "SKU-10000", quantity: 1 });
  const missing = bytes - length() - ',"note":""'.length;
  if (missing > 0) session.cart.note = "x".repeat(missing);
  return session;
}

function item(n) {
  return {
    sku: `SKU-${10_000 + n}`,
    title: `Article number ${n} of the catalogue`,
    quantity: 1 + (n % 9),
    price: { amount: 4.99 + n, currency: "EUR" },
    options: { colour: ["red", "green", "blue"][n % 3], gift: n % 2 === 0, engraving: null },
    tags: ["new", `group-${n % 7}`],
  };
}

function page(n) {
  return { path: `/articles/${n}?from=search`, seen: 1_767_225_600 + n, scrolled: (n % 10) / 10 };
}

const stranger = "consent=yes"; // the Cookie header without a session: another cookie of the site

/**
 * A browser that visits one contender repeatedly, and keeps its cookie beside another one of the site. Each method of a contender
 * returns the text of its Set-Cookie header, if it sets one: `fill`, `visit`, which writes, `read`, and `anonymous`.
 */
export class Visitor {
  #contender;
  #mode;
  #data;
  #cookie = stranger;
  #expected = start;
  #visits = 0;
  #visit;

  constructor(contender, mode, bytes) {
    this.#contender = contender;
    this.#mode = mode;
    this.#data = data(bytes);
    this.#visit = this.#visitOf(contender, mode);
  }

  /** The first visit, which fills the session. */
  async arrive() {
    if (this.#hasSession) this.#keep(await this.#contender.fill(this.#cookie, structuredClone(this.#data)));
  }

  async visit(times) {
    const before = this.#visits;
    for (let n = 0; n < times; n++) this.#keep(await this.#visit(this.#cookie));
    if (!this.#contender.shell && this.#visits !== before + times) throw new Error("a visit did not use its session");
  }

  /** The last visits: checks that unwritten fields are unchanged. */
  async leave() {
    if (this.#contender.shell || !this.#hasSession) return;
    for (const [field, value] of Object.entries(this.#data).filter(([field]) => !this.#mode.next || field !== this.#mode.field)) {
      let found;
      await this.#contender.read(this.#cookie, field, (_user, kept) => (found = kept));
      if (JSON.stringify(found) !== JSON.stringify(value)) throw new Error(`${field} is not what it was at first`);
    }
  }

  get #hasSession() {
    return Boolean(this.#mode.field) || !this.#contender.anonymous;
  }

  /** Returns the visit of a mode: a function from the Cookie header to the Set-Cookie header. */
  #visitOf(contender, { field = "visits", count = (visits) => visits, next }) {
    // The application's code. The write of the last visit has to be present, so that no contender gains time by losing data.
    const look = (user, value) => {
      const found = count(value);
      if (user.id !== 48151 || found !== this.#expected) {
        throw new Error(`count ${found} was read where ${this.#expected} was written`);
      }
      this.#visits += 1;
    };
    const turn = (user, value) => {
      look(user, value);
      this.#expected += 1;
      return next(value);
    };
    const miss = (user) => {
      if (user !== undefined && user !== null) throw new Error("a visitor without a session has a user");
      this.#visits += 1;
    };
    if (next) return (cookie) => contender.visit(cookie, field, turn);
    if (this.#hasSession) return (cookie) => contender.read(cookie, field, look);
    return async () => void (await contender.anonymous(stranger, miss)); // keeps no cookie: each is another visitor
  }

  #keep(setCookie) {
    if (setCookie) this.#cookie = `${stranger}; ${setCookie.slice(0, setCookie.indexOf(";"))}`;
  }
}
