import { redirect } from "@sveltejs/kit";

export const load = async ({ locals }) => {
  await locals.session.flush();
  redirect(303, "/");
};
