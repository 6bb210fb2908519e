import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import type { Variable } from "@/api/types";
import { deleteVariable } from "@/api/variables";
import { sentence } from "@/pure/states";
import { Button, IconButton } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { cx } from "@/ui/cx";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Icon } from "@/ui/icons";
import { ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";

export function VariableRow({ variable, overridden, onEdit }: { variable: Variable; overridden: boolean; onEdit?: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const changeable = onEdit && variable.variable_type !== "BUILT_IN";
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_minmax(0,1.4fr)_auto] items-center gap-x-4 border-b border-line px-4 py-1.5 last:border-0 max-sm:grid-cols-[minmax(0,1fr)_auto]">
      <div className="flex min-w-0 flex-wrap items-center gap-x-2">
        <code className={cx("min-w-0 truncate font-mono text-xs font-medium", overridden && "text-muted line-through")} title={variable.key}>
          {variable.key}
        </code>
        {overridden && <Badge title="A narrower scope has the same key, and wins">overridden</Badge>}
        {["ALIAS", "OVERRIDE", "FILE"].includes(variable.variable_type) && <Badge>{sentence(variable.variable_type)}</Badge>}
        {variable.description && <span className="w-full truncate text-xs text-muted">{variable.description}</span>}
      </div>
      <div className="min-w-0 max-sm:order-3 max-sm:col-span-2">
        <Value variable={variable} />
      </div>
      <div className="flex items-center">
        {!variable.is_secret && variable.value && <CopyButton text={variable.value} label={`Copy the value of ${variable.key}`} />}
        {changeable && (
          <>
            <IconButton icon="edit" label={`Edit ${variable.key}`} className="!size-7" onClick={onEdit} />
            <IconButton icon="trash" label={`Delete ${variable.key}`} className="!size-7" onClick={() => setDeleting(true)} />
          </>
        )}
      </div>
      {deleting && <DeleteDialog variable={variable} onClose={() => setDeleting(false)} />}
    </li>
  );
}

function Value({ variable }: { variable: Variable }) {
  if (variable.is_secret) {
    return (
      <span className="flex items-center gap-1.5 text-xs text-muted">
        <Icon name="lock" size={13} /> secret: can be replaced, not read
      </span>
    );
  }
  if (variable.aliased_variable) return <span className="text-xs text-muted">the value of {variable.aliased_variable.key}</span>;
  if (!variable.value) return <span className="text-xs text-muted">empty</span>;
  return (
    <code className="block truncate font-mono text-xs" title={variable.value.slice(0, 2000)}>
      {variable.value}
    </code>
  );
}

function DeleteDialog({ variable, onClose }: { variable: Variable; onClose: () => void }) {
  const client = useQueryClient();
  const gone = useMutation({
    mutationFn: () => deleteVariable(variable.id),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["variables"] });
      onClose();
    },
  });
  return (
    <Dialog open onClose={onClose} title={`Delete ${variable.key}?`} description="Services lose it with their next deployment.">
      {gone.error && <ProblemNote error={gone.error} />}
      <DialogActions>
        <Button onClick={onClose}>Keep it</Button>
        <Button look="danger" busy={gone.isPending} onClick={() => gone.mutate()}>
          Delete
        </Button>
      </DialogActions>
    </Dialog>
  );
}
