// The package is loaded from node_modules, since Turbopack does not take the file edge-session.wasm along.
// To remove when the package for Node has its WebAssembly inside.
export default { serverExternalPackages: ["edge-session"] };
