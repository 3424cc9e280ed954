/** There are no bindings during a build. */
export const env = new Proxy({}, {
  get(_, name) {
    throw new Error(`env.${String(name)} was read during the build`);
  },
});
