// Who takes part. Each is a module of `contenders/`, and runs in a process or an isolate of its own.

export const contenders = [
  { name: "floor", title: "floor: opaque id, no library" },
  { name: "edge-session", title: "edge-session" },
];
