import { home } from "../../pages.mjs";
import { withSession } from "../session";

export const GET = withSession((session) => new Response(home(session)));
