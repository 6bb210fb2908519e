/** Short news at the lower edge: what an action came to. Failures stay until they are closed. */

import { useSyncExternalStore } from "react";

import { ProblemNote } from "@/ui/notes";
import { Icon } from "@/ui/icons";
import { IconButton } from "@/ui/button";

interface Toast {
  id: number;
  text?: string;
  error?: unknown;
}

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

function close(id: number): void {
  change(toasts.filter((toast) => toast.id !== id));
}

export function say(text: string): void {
  const id = ++last;
  change([...toasts.slice(-2), { id, text }]);
  setTimeout(() => close(id), 4000);
}

export function sayProblem(error: unknown): void {
  change([...toasts.slice(-2), { id: ++last, error }]);
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="pointer-events-none fixed inset-x-0 bottom-3 z-50 flex flex-col items-center gap-2 px-3" aria-live="polite">
      {shown.map((toast) => (
        <div key={toast.id} className="enter pointer-events-auto flex w-full max-w-md items-start rounded-lg border border-line bg-raised shadow-pop">
          {toast.error !== undefined ? (
            <ProblemNote error={toast.error} className="flex-1 border-0" />
          ) : (
            <p className="flex flex-1 items-center gap-2 px-3 py-2.5 text-sm">
              <Icon name="check" className="text-good" /> {toast.text}
            </p>
          )}
          <IconButton icon="cross" label="Close" className="m-1" onClick={() => close(toast.id)} />
        </div>
      ))}
    </div>
  );
}
