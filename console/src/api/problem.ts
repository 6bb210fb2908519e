/** What the API says when it refuses: RFC 9457 problem documents, and the two ways of not reaching it at all. */

export interface FieldError {
  path: string;
  message: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly requestId: string,
    readonly errors: FieldError[] = [],
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  get isUnauthenticated(): boolean {
    return this.status === 401;
  }

  /** Worth asking again by itself. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

interface Document {
  title?: string;
  detail?: string;
  code?: string;
  request_id?: string;
  errors?: FieldError[];
}

export async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => "");
  const document = parse(text);
  const requestId = document.request_id ?? response.headers.get("X-Request-Id") ?? "";
  const title = document.title ?? (response.statusText || `The server answered ${response.status}`);
  const detail = document.detail ?? explain(response.status);
  return new Problem(response.status, title, detail, document.code ?? "", requestId, document.errors ?? []);
}

export function unreachable(): Problem {
  return new Problem(0, "Slipway can't be reached", "The connection failed. Running services are not affected.", "client.unreachable", "");
}

export function timedOut(): Problem {
  return new Problem(0, "No answer in time", "The server took more than 30 seconds to answer.", "client.timeout", "");
}

function parse(text: string): Document {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === "object" && document !== null ? document : {};
  } catch {
    return {};
  }
}

function explain(status: number): string {
  if (status === 502 || status === 503 || status === 504) return "A part of Slipway is starting or away. Running services are not affected.";
  if (status === 404) return "It doesn't exist, or you have no right to see it.";
  return "";
}
