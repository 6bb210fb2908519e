/** A terminal's connection: bytes in and out, resizes, and how it ended. Knows nothing of the screen. */

import { CLOSE, endedBy, frame, PROTOCOL, resizeFrame, STATUS, STDERR, STDIN, STDOUT } from "@/pure/terminal";

export type SessionState =
  | { kind: "connecting" }
  | { kind: "open" }
  | { kind: "ended"; text: string }
  | { kind: "lost"; text: string };

export interface Where {
  organization: string;
  cluster: string;
  project: string;
  environment: string;
  service: string;
}

interface Screen {
  columns: number;
  rows: number;
  write: (data: Uint8Array) => void;
  changed: (state: SessionState) => void;
}

export class Session {
  private socket: WebSocket | undefined;
  private ended = false;

  constructor(
    private readonly where: Where,
    private readonly screen: Screen,
  ) {}

  open(): void {
    this.screen.changed({ kind: "connecting" });
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = new URLSearchParams({
      ...this.where,
      tty_width: String(this.screen.columns),
      tty_height: String(this.screen.rows),
    });
    const socket = new WebSocket(`${scheme}://${location.host}/shell/exec?${query.toString()}`, [PROTOCOL]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.screen.changed({ kind: "open" });
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = ({ code, reason }) => this.closed(code, reason);
    this.socket = socket;
  }

  type(data: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(frame(STDIN, data));
  }

  resize(columns: number, rows: number): void {
    this.screen.columns = columns;
    this.screen.rows = rows;
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(resizeFrame(columns, rows));
  }

  close(): void {
    this.ended = true;
    this.socket?.close(1000);
  }

  private take(data: unknown): void {
    if (!(data instanceof ArrayBuffer) || data.byteLength === 0) return;
    const bytes = new Uint8Array(data);
    const channel = bytes[0];
    if (channel === STDOUT || channel === STDERR) this.screen.write(bytes.subarray(1));
    else if (channel === STATUS) this.finish(new TextDecoder().decode(bytes.subarray(1)));
    else if (channel === CLOSE) return;
  }

  private finish(text: string): void {
    this.ended = true;
    const { code, message } = endedBy(text);
    const said = code === undefined ? message || "The session ended." : `The shell ended with exit code ${code}.`;
    this.screen.changed({ kind: "ended", text: said });
  }

  private closed(code: number, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    const text = reason || (code === 1006 ? "The connection was lost, or the terminal was refused." : "The session ended.");
    this.screen.changed(code === 1000 ? { kind: "ended", text } : { kind: "lost", text });
  }
}
