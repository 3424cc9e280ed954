// What the short examples in the documents take for granted. A block with an import of its own is a whole module, and sees these, too.

import type { KvNamespace, Session, Sessions } from "edge-session";

type Data = { visits: number; user: string; message: string; cart: string[] };

declare global {
  const env: { SESSIONS: KvNamespace; SESSION_SECRET: string };
  const sessions: Sessions<Data>;
  const session: Session<Data>;
  const response: Response;
}
