// The data of the visitor's session, and the change of each visit. Both are the same for every contender.

/** The modes: the field that each visit writes, and the count inside of it. */
export const modes = {
  /** A number of seven digits, beside everything else. */
  small: {
    field: "visits",
    count: (visits) => visits,
    next: (visits) => visits + 1,
  },
  /** The object that holds most of the session's bytes, changed inside. */
  large: {
    field: "cart",
    count: (cart) => cart.revision,
    next(cart) {
      cart.revision += 1;
      cart.items[cart.revision % cart.items.length].quantity = 1 + (cart.revision % 9);
      return cart;
    },
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

/** A browser that visits one contender repeatedly, and keeps its cookie beside another one of the site. */
export class Visitor {
  #contender;
  #mode;
  #data;
  #cookie = "consent=yes";
  #expected = start;
  #turn;

  constructor(contender, mode, bytes) {
    this.#contender = contender;
    this.#mode = mode;
    this.#data = data(bytes);
    // The application's code: from the two fields that it read, it returns the one to write. The write of the last visit has
    // to be present, so that no contender gains time by losing data.
    this.#turn = (user, value) => {
      const count = mode.count(value);
      if (user.id !== 48151 || count !== this.#expected) throw new Error(`count ${count} was read where ${this.#expected} was written`);
      this.#expected = count + 1;
      return mode.next(value);
    };
  }

  /** The first visit, which fills the session. */
  async arrive() {
    this.#keep(await this.#contender.fill(this.#cookie, structuredClone(this.#data)));
  }

  async visit(times) {
    const { field } = this.#mode;
    const before = this.#expected;
    for (let n = 0; n < times; n++) this.#keep(await this.#contender.visit(this.#cookie, field, this.#turn));
    if (!this.#contender.shell && this.#expected !== before + times) throw new Error("a visit did not read and write its session");
  }

  /** The last visits: checks that unwritten fields are unchanged. */
  async leave() {
    if (this.#contender.shell) return;
    for (const [field, value] of Object.entries(this.#data).filter(([field]) => field !== this.#mode.field)) {
      let found;
      await this.#contender.visit(this.#cookie, field, (_user, kept) => (found = kept));
      if (JSON.stringify(found) !== JSON.stringify(value)) throw new Error(`${field} is not what it was at first`);
    }
  }

  #keep(setCookie) {
    if (setCookie) this.#cookie = `consent=yes; ${setCookie.slice(0, setCookie.indexOf(";"))}`;
  }
}
