// Writes <file>.gz beside every text file of dist/, so that Caddy serves it without compressing per request.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url).pathname;
const compressible = new Set([".html", ".js", ".css", ".svg", ".json", ".webmanifest"]);
const worthwhile = 1024;

for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, String(name));
  if (!compressible.has(extname(path)) || statSync(path).size < worthwhile) continue;
  writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
}
