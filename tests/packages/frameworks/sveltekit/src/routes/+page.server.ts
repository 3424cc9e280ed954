import { home } from "../../../pages.mjs";

export const load = ({ locals }) => ({ page: home(locals.session) });
