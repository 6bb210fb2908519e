// A small JSON API that keeps notes in memory: GET /, GET /notes, POST /notes, DELETE /notes/<id>.
import { createServer } from "node:http";
import { nanoid } from "nanoid";

const notes = new Map();
const started = Date.now();
const MOST_BYTES = 10_000;

async function body(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST_BYTES) throw Object.assign(new Error("too large"), { status: 413 });
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw Object.assign(new Error("not JSON"), { status: 400 });
  }
}

async function handle(request) {
  const { pathname } = new URL(request.url, "http://localhost");
  const [, collection, id] = pathname.split("/");
  if (pathname === "/health") return [200, { status: "ok" }];
  console.log(request.method, pathname);
  if (pathname === "/") return [200, { name: "demo-api", node: process.version, uptime: Math.round((Date.now() - started) / 1000) }];
  if (collection !== "notes") return [404, { error: "nothing here" }];
  if (request.method === "GET" && !id) return [200, [...notes.values()]];
  if (request.method === "POST" && !id) {
    const { text } = await body(request);
    if (typeof text !== "string" || !text.trim()) return [422, { error: "text is missing" }];
    const note = { id: nanoid(10), text: text.slice(0, 500), at: new Date().toISOString() };
    notes.set(note.id, note);
    return [201, note];
  }
  if (request.method === "DELETE" && id) return notes.delete(id) ? [204, null] : [404, { error: "no such note" }];
  return [405, { error: "not here" }];
}

const server = createServer(async (request, response) => {
  let status, answer;
  try {
    [status, answer] = await handle(request);
  } catch (error) {
    [status, answer] = [error.status ?? 500, { error: error.message }];
  }
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(answer === null ? "" : JSON.stringify(answer) + "\n");
});

server.listen(Number(process.env.PORT ?? 8000), "127.0.0.1", () => console.log(`listening on port ${server.address().port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
