import type { APIRoute } from "astro";

export const GET: APIRoute = async ({ locals, redirect }) => {
  await locals.session.flush();
  return redirect("/", 303);
};
