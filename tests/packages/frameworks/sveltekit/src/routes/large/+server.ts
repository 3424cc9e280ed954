export const GET = ({ locals }) => {
  locals.session.set("essay", "x".repeat(5000));
  return new Response("saved");
};
