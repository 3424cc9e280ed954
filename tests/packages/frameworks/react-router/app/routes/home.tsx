import { home } from "../../../pages.mjs";
import { getSession } from "../session.server";
import type { Route } from "./+types/home";

export const loader = ({ context }: Route.LoaderArgs) => home(getSession(context));

export default function Home({ loaderData }: Route.ComponentProps) {
  return <p>{loaderData}</p>;
}
