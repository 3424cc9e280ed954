// The program for Node, with the package in the bundle. The server of a framework has it there if it is a devDependency.

export default {
  ssr: { noExternal: true },
};
