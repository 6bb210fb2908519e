import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run dev` finds a running platform. */
const platform = process.env.SLIPWAY_PUBLIC_URL ?? "http://localhost:8080";
const proxied = { target: platform, changeOrigin: true, ws: true };

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // data: addresses would need a wider Content-Security-Policy
    modulePreload: { polyfill: false }, // the polyfill is for browsers older than our target
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      output: {
        // What a first page needs comes in few files; what is opened later stays in chunks of its own.
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(react|react-dom|scheduler)\//, priority: 3 },
            { name: "parts", test: /node_modules\/(@tanstack\/(react-router|router-core|history|store|react-store|react-query|query-core)|centrifuge|events|@radix-ui|@floating-ui|react-remove-scroll|aria-hidden)/, priority: 2 },
            { name: "console", test: /src\/(ui|api|live|pure)\//, priority: 1, minShareCount: 2 },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/ws", "/connection", "/shell", "/git", "/hooks"].map((path) => [path, proxied]),
    ),
  },
});
