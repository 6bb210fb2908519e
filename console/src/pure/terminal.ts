/** Frames of the sub-protocol v5.channel.k8s.io: one byte of channel, then data. */

export const PROTOCOL = "v5.channel.k8s.io";

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;
export const STATUS = 3;
export const RESIZE = 4;
export const CLOSE = 255;

const encoder = new TextEncoder();

export function frame(channel: number, data: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  const whole = new Uint8Array(bytes.length + 1);
  whole[0] = channel;
  whole.set(bytes, 1);
  return whole;
}

export const resizeFrame = (columns: number, rows: number): Uint8Array<ArrayBuffer> =>
  frame(RESIZE, JSON.stringify({ Width: columns, Height: rows }));

export interface Ended {
  code: number | undefined;
  message: string;
}

/** A Kubernetes Status in words: `Success`, or a failure with the exit code among its causes. */
export function endedBy(text: string): Ended {
  try {
    const status = JSON.parse(text) as { status?: string; message?: string; details?: { causes?: { reason?: string; message?: string }[] } };
    if (status.status === "Success") return { code: 0, message: "" };
    const cause = status.details?.causes?.find(({ reason }) => reason === "ExitCode");
    return { code: cause?.message === undefined ? undefined : Number(cause.message), message: status.message ?? "" };
  } catch {
    return { code: undefined, message: text };
  }
}
