export const load = ({ locals: { session } }) => {
  session.has("user");
  const later = async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return session.get("user", "-");
  };
  return { user: later() };
};
