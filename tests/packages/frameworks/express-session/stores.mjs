// The sessions of both servers, in files.

import { memory } from "edge-session";
import { expressSessionStore } from "edge-session/node";
import { fromUnstorage } from "edge-session/unstorage";
import expressSession from "express-session";
import { createStorage } from "unstorage";
import files from "unstorage/drivers/fs-lite";

const fail = async () => {
  throw new Error("the store is down");
};

export const store = process.env.OUTAGE
  ? { ...memory(), get: fail, put: fail, delete: fail }
  : fromUnstorage(createStorage({ driver: files({ base: process.env.FOLDER }) }));

export const oldStore = expressSessionStore(expressSession.Store, store);

export const secret = "the secret of express-session";
