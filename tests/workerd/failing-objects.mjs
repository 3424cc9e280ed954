/**
 * A Durable Object namespace whose calls fail first with these errors, in turn; with `applied` after they were applied. `stubs` are those
 * that were asked for.
 */
export function failingObjects(namespace, errors, { applied = false } = {}) {
  const stubs = [];
  const get = (id, options) => {
    const stub = namespace.get(id, options);
    stubs.push(stub);
    const call = (method) => async (...args) => {
      const error = errors.shift();
      if (!error) return stub[method](...args);
      if (applied) await stub[method](...args);
      throw Object.assign(new Error("the call failed"), error);
    };
    return { read: call("read"), write: call("write"), remove: call("remove") };
  };
  return { stubs, get, idFromName: (name) => namespace.idFromName(name) };
}
