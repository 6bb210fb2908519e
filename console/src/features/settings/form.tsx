import { useMutation } from "@tanstack/react-query";
import type { FormEvent, ReactNode } from "react";

import { useRights } from "@/features/rights";
import { Button } from "@/ui/button";
import { ProblemNote } from "@/ui/notes";
import { say } from "@/ui/toasts";

/** A panel of fields that are saved together. */
export function SettingsForm({ title, hint, onSave, children }: { title: string; hint?: string; onSave: () => Promise<unknown>; children: ReactNode }) {
  const mayChange = useRights().may("manage");
  const save = useMutation({ mutationFn: onSave, onSuccess: () => say("Saved") });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="panel flex flex-col">
      <header className="border-b border-line px-4 py-2.5">
        <h2 className="text-sm font-semibold">{title}</h2>
        {hint && <p className="text-xs text-muted">{hint}</p>}
      </header>
      <div className="flex flex-col gap-4 p-4">
        <fieldset disabled={!mayChange} className="contents">
          {children}
        </fieldset>
        {save.error && <ProblemNote error={save.error} />}
        {mayChange && (
          <Button type="submit" look="primary" className="self-start" busy={save.isPending}>
            Save
          </Button>
        )}
      </div>
    </form>
  );
}
