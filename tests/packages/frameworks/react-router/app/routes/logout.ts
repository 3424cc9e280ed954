import { redirect } from "react-router";
import { getSession } from "../session.server";
import type { Route } from "./+types/logout";

export async function loader({ context }: Route.LoaderArgs) {
  await getSession(context).flush();
  return redirect("/");
}
