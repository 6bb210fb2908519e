/** Deleting asks for the name: it is the one thing that can't be undone. */

import { type ReactNode, useState } from "react";
import { useMutation } from "@tanstack/react-query";

import { useRights } from "@/features/rights";
import { Button } from "@/ui/button";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Field, Input } from "@/ui/form";
import { ProblemNote } from "@/ui/notes";

interface Props {
  what: string;
  name: string;
  consequences: ReactNode;
  onDelete: () => Promise<unknown>;
  onDeleted: () => unknown;
}

export function DangerZone(props: Props) {
  const [open, setOpen] = useState(false);
  if (!useRights().may("manage")) return null;
  return (
    <section className="panel flex flex-wrap items-center gap-3 border-bad/40 px-4 py-3">
      <div className="min-w-0 flex-1 basis-64">
        <h2 className="text-sm font-semibold">Delete this {props.what}</h2>
        <p className="text-sm text-muted">{props.consequences}</p>
      </div>
      <Button icon="trash" className="text-bad" onClick={() => setOpen(true)}>
        Delete {props.what}
      </Button>
      {open && <Confirm {...props} onClose={() => setOpen(false)} />}
    </section>
  );
}

function Confirm({ what, name, consequences, onDelete, onDeleted, onClose }: Props & { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const gone = useMutation({ mutationFn: onDelete, onSuccess: onDeleted });
  return (
    <Dialog open onClose={onClose} title={`Delete ${name}?`} description={consequences}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === name) gone.mutate();
        }}
      >
        <Field label={`Type ${name} to confirm`}>
          {(attributes) => <Input {...attributes} autoFocus autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />}
        </Field>
        {gone.error && <ProblemNote error={gone.error} />}
        <DialogActions>
          <Button onClick={onClose}>Keep it</Button>
          <Button type="submit" look="danger" disabled={typed !== name} busy={gone.isPending}>
            Delete {what}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
