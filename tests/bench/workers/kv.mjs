// Workers KV for workerd: a service that keeps the values in memory. `counts` is an entrypoint of its own: it responds with the
// number of calls since its last response.

const kept = new Map();
let calls = { get: 0, put: 0, delete: 0 };

export default {
  async fetch(request) {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    switch (request.method) {
      case "GET": {
        calls.get += 1;
        const value = kept.get(key);
        return value ? new Response(value) : new Response(null, { status: 404 });
      }
      case "PUT":
        calls.put += 1;
        kept.set(key, await request.arrayBuffer());
        return new Response(null);
      case "DELETE":
        calls.delete += 1;
        kept.delete(key);
        return new Response(null);
      default:
        return new Response(null, { status: 405 });
    }
  },
};

export const counts = {
  fetch() {
    const response = Response.json(calls);
    calls = { get: 0, put: 0, delete: 0 };
    return response;
  },
};
