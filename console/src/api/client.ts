/** HTTP to the API. The session is an HttpOnly cookie of the same origin: there is no token that this code could see. */

import { Problem, problemOf, timedOut, unreachable } from "@/api/problem";

const TIME_LIMIT_MS = 30_000;

type Query = Record<string, string | number | boolean | undefined>;

export interface Call {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
}

export const get = <T>(path: string, call: Call = {}): Promise<T> => request<T>("GET", path, call);
export const post = <T>(path: string, body?: unknown, call: Call = {}): Promise<T> => request<T>("POST", path, { ...call, body });
export const put = <T>(path: string, body?: unknown, call: Call = {}): Promise<T> => request<T>("PUT", path, { ...call, body });
export const remove = (path: string, call: Call = {}): Promise<void> => request<void>("DELETE", path, call);

/** The elements of a list answer `{"results": […]}`. */
export async function list<T>(path: string, call: Call = {}): Promise<T[]> {
  const answer = await get<{ results?: T[] }>(path, call);
  return answer.results ?? [];
}

/** A path with its ids escaped: path`/environment/${id}/status`. */
export function path(parts: TemplateStringsArray, ...ids: string[]): string {
  return parts.reduce((whole, part, index) => whole + encodeURIComponent(ids[index - 1] ?? "") + part);
}

async function request<T>(method: string, path: string, call: Call): Promise<T> {
  const response = await send(method, `${path.startsWith("/hooks/") ? "" : "/api"}${path}${queryOf(call.query)}`, call);
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204 || response.headers.get("Content-Length") === "0") return undefined as T;
  const text = await response.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function send(method: string, url: string, call: Call): Promise<Response> {
  const limit = AbortSignal.timeout(TIME_LIMIT_MS);
  const signal = call.signal ? AbortSignal.any([call.signal, limit]) : limit;
  const headers: Record<string, string> = { Accept: "application/json" };
  if (call.body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(url, {
      method,
      headers,
      signal,
      credentials: "same-origin",
      body: call.body === undefined ? null : JSON.stringify(call.body),
    });
  } catch (error) {
    if (call.signal?.aborted) throw error;
    throw limit.aborted ? timedOut() : unreachable();
  }
}

function queryOf(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()}`;
}

export { Problem };
