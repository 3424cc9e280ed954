import { redirect } from "react-router";
import { logIn } from "../../../pages.mjs";
import { getSession } from "../session.server";
import type { Route } from "./+types/login";

export function loader({ context }: Route.LoaderArgs) {
  logIn(getSession(context));
  throw redirect("/", { headers: { "Set-Cookie": "seen=1" } });
}
