export const load = ({ locals }) => {
  locals.session.set("message", "late");
  const later = async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    throw new Error("boom");
  };
  return { later: later() };
};
