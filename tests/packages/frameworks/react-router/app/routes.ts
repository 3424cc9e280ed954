import { index, route, type RouteConfig } from "@react-router/dev/routes";

export default [
  index("routes/home.tsx"),
  route("login", "routes/login.ts"),
  route("logout", "routes/logout.ts"),
  route("boom", "routes/boom.tsx"),
  route("stream", "routes/stream.tsx"),
  route("large", "routes/large.tsx"),
] satisfies RouteConfig;
