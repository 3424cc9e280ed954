import { getSession, withSession } from "../../session";

const errorOf = async (call) => {
  try {
    return await call();
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
};

/** What a server component may not do. */
export default async function Page() {
  const session = await getSession();
  return (
    <ul>
      <li>{await errorOf(() => session.set("user", "mallory"))}</li>
      <li>{await errorOf(() => void (session.modified = true))}</li>
      <li>{await errorOf(withSession((session) => void session.set("user", "mallory")))}</li>
      <li>{String((await getSession()) === session)}</li>
    </ul>
  );
}
