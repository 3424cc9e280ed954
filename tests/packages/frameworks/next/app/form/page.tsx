import { getSession } from "../../session";
import { count, fail, leave, logIn } from "./actions";

export default async function Page() {
  const session = await getSession();
  return (
    <form>
      <p>{`visits=${session.get("visits", 0)} user=${session.get("user", "-")}`}</p>
      <input name="user" defaultValue="alice" />
      <button formAction={logIn}>Log in</button>
      <button formAction={count}>Count</button>
      <button formAction={fail}>Fail</button>
      <button formAction={leave}>Leave</button>
    </form>
  );
}
