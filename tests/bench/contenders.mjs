// The contenders. Each is a module of `contenders/` by its name. A peer is a library from npm, which edge-session has to be
// faster than; `fits` returns in which cells a contender takes part, and `why` is the reason.

export const contenders = [
  { name: "shell-request", title: "shell: Request and Headers alone" },
  { name: "shell-hono", title: "shell: Hono alone", npm: true },
  { name: "floor", title: "floor: opaque id, no library" },
  { name: "floor-anonymous", title: "no library, looks for the cookie", fits: ({ mode }) => mode === "anonymous" },
  { name: "edge-session", title: "edge-session" },
  { name: "edge-session-later", title: "edge-session, 160 s after a write", fits: ({ mode }) => ["small", "read"].includes(mode) },
  { name: "edge-session-memory", title: "edge-session on memory(), no KV" },
  { name: "react-router", title: "React Router's KV storage, signed", peer: true },
  { name: "astro", title: "Astro's session runtime (with Request)", peer: true },
  { name: "hono-sessions", title: "hono-sessions, plain id (with Hono)", peer: true },
  { name: "hono-session", title: "@hono/session (with Hono)", peer: true },
  {
    name: "iron-session",
    title: "iron-session, no store (with Request)",
    peer: true,
    fits: ({ bytes }) => bytes <= 2048,
    why: "iron-session seals the whole session into the cookie, which holds 4 KB.",
  },
];
