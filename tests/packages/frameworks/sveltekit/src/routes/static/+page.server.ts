export const prerender = true;

export const load = ({ locals }) => ({ session: "session" in locals });
