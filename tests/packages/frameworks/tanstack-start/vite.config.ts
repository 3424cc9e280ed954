import { tanstackStart } from "@tanstack/react-start/plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [tanstackStart(), react()],
  ssr: { noExternal: ["cookie-es"] }, // other frameworks in the same node_modules need another version
});
