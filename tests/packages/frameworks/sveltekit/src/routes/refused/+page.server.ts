import { error } from "@sveltejs/kit";

export const load = ({ locals }) => {
  locals.session.set("message", "refused");
  error(403, "not you");
};
