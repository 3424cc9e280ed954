// A contender as a Node process, which listens on the socket that its argument names.

import { createServer } from "node:http";
import { answering } from "./answer.mjs";

export function serve(contender) {
  const answer = answering(contender);
  createServer(async (request, response) => {
    const [status, text] = await answer(request.url);
    response.writeHead(status).end(text);
  }).listen(process.argv[2]);
}
