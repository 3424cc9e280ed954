import { createSessionMiddleware } from "edge-session/react-router";
import { options } from "../../pages.mjs";

type Data = { visits: number; user: string; message: string; essay: string };

export const [sessionMiddleware, getSession] = createSessionMiddleware<Data>(options);
