import { getSession } from "../session.server";
import type { Route } from "./+types/boom";

export function loader({ context }: Route.LoaderArgs) {
  getSession(context).set("message", "boom");
  throw new Error("boom");
}

export default function Boom() {
  return null;
}
