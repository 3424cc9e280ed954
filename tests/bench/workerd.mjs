// A contender as a Worker.

import { answering } from "./answer.mjs";

export function serve(contender) {
  const answer = answering(contender);
  return {
    async fetch(request) {
      const [status, text] = await answer(request.url);
      return new Response(text, { status });
    },
  };
}
