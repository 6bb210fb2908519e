/** Times that go on by themselves, all on one clock. */

import { useSyncExternalStore } from "react";

import { ago, dateTime, duration } from "@/pure/format";

function clock(milliseconds: number): { subscribe: (listener: () => void) => () => void; read: () => number } {
  const listeners = new Set<() => void>();
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const tick = (): void => {
    now = Date.now();
    for (const listener of listeners) listener();
  };
  return {
    read: () => now,
    subscribe: (listener) => {
      listeners.add(listener);
      if (!timer) {
        now = Date.now();
        timer = setInterval(tick, milliseconds);
      }
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

const SLOW = clock(10_000);
const FAST = clock(1_000);
const STILL = { subscribe: () => () => undefined, read: () => 0 };

export function Ago({ at }: { at: string | null | undefined }) {
  const now = useSyncExternalStore(SLOW.subscribe, SLOW.read);
  if (!at) return <>–</>;
  return (
    <time dateTime={at} title={dateTime(at)} className="num whitespace-nowrap">
      {ago(at, Math.max(now, new Date(at).getTime()))}
    </time>
  );
}

/** How long something took, or takes so far. */
export function Elapsed({ from, to }: { from: string | null | undefined; to?: string | null | undefined }) {
  const ticking = Boolean(from) && !to;
  const source = ticking ? FAST : STILL;
  const now = useSyncExternalStore(source.subscribe, source.read);
  if (!from) return null;
  const end = to ? new Date(to).getTime() : now;
  return <span className="num whitespace-nowrap">{duration(Math.max(0, end - new Date(from).getTime()))}</span>;
}
