export const load = ({ locals }) => {
  locals.session.set("message", "boomed");
  throw new Error("boom");
};
