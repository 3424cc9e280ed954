// The options of the sessions of the projects: in memory, or, with OUTAGE=1, in a store that fails.

import { memory } from "edge-session";

const fail = async () => {
  throw new Error("the store is down");
};

const store = process.env.OUTAGE ? { ...memory(), get: fail, put: fail, delete: fail, list: fail } : memory();

export const options = { store, secrets: ["the secret of the test projects, of more than 32 bytes"] };
