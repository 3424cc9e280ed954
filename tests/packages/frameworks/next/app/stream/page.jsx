import { Suspense } from "react";
import { setTimeout as sleep } from "node:timers/promises";
import { getSession } from "../../session";

async function User() {
  await sleep(50);
  const session = await getSession();
  return <p>{`user=${session.get("user", "-")}`}</p>;
}

export default function Page() {
  return (
    <main>
      <p>began</p>
      <Suspense fallback={<p>please wait</p>}>
        <User />
      </Suspense>
    </main>
  );
}
