import { createFileRoute, redirect } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";
import { setCookie } from "@tanstack/react-start/server";
import { logIn } from "../../../pages.mjs";

const enter = createServerFn().handler(({ context }) => {
  logIn(context.session);
  setCookie("seen", "1");
  throw redirect({ to: "/" });
});

export const Route = createFileRoute("/login")({ loader: () => enter() });
