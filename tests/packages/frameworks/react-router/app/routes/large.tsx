import { getSession } from "../session.server";
import type { Route } from "./+types/large";

/** A session that is too large to be saved. */
export function loader({ context }: Route.LoaderArgs) {
  getSession(context).set("essay", "x".repeat(70_000));
  return null;
}

export default function Large() {
  return <p>saved</p>;
}
