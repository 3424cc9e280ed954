export default defineCachedEventHandler(({ context }) => context.session.get("user", "-"), { name: "cached" });
