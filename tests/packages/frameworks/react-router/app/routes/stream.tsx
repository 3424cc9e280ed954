import { setTimeout as sleep } from "node:timers/promises";
import { Suspense } from "react";
import { Await } from "react-router";
import { getSession } from "../session.server";
import type { Route } from "./+types/stream";

export function loader({ context }: Route.LoaderArgs) {
  const session = getSession(context);
  session.has("user"); // before the headers, so that they have `Vary: Cookie`
  return { user: sleep(1000).then(() => session.get("user", "-")) };
}

export default function Stream({ loaderData }: Route.ComponentProps) {
  return (
    <>
      <p>began</p>
      <Suspense fallback={<p>waiting</p>}>
        <Await resolve={loaderData.user}>{(user) => <p>{`user=${user}`}</p>}</Await>
      </Suspense>
    </>
  );
}
