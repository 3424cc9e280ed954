import { home } from "../../pages.mjs";
import { withSession } from "../session.js";

export const GET = withSession((session) => new Response(home(session)));
