/** A question before something that interrupts people. Deploying asks nothing; stopping and going back do. */

import { useSyncExternalStore } from "react";

import { Button } from "@/ui/button";
import { CliLine } from "@/ui/copy";
import { Dialog, DialogActions } from "@/ui/dialog";

interface Question {
  title: string;
  description: string;
  verb: string;
  danger?: boolean;
  command?: string;
}

let open: { question: Question; answer: (yes: boolean) => void } | undefined;
const listeners = new Set<() => void>();

function change(next: typeof open): void {
  open = next;
  for (const listener of listeners) listener();
}

/** Whether the person wants it. */
export function ask(question: Question): Promise<boolean> {
  open?.answer(false);
  return new Promise((answer) => change({ question, answer }));
}

function end(yes: boolean): void {
  open?.answer(yes);
  change(undefined);
}

export function Questions() {
  const current = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => open,
  );
  if (!current) return null;
  const { title, description, verb, danger, command } = current.question;
  return (
    <Dialog open onClose={() => end(false)} title={title} description={description}>
      {command && <CliLine command={command} />}
      <DialogActions>
        <Button onClick={() => end(false)}>Leave it</Button>
        <Button look={danger ? "danger" : "primary"} onClick={() => end(true)} autoFocus>
          {verb}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
