const forWorkers = {
  serverExternalPackages: ["edge-session"],
  turbopack: { resolveAlias: { "#options": "./options.workers.mjs" } },
};

export default process.env.WORKERS ? forWorkers : {};
