import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import type { Variable } from "@/api/types";
import { createVariable, editVariable } from "@/api/variables";
import type { Scope } from "@/features/variables/page";
import { keyProblem } from "@/pure/names";
import { Button } from "@/ui/button";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Check, Field, Input, Select, Textarea } from "@/ui/form";
import { ProblemNote } from "@/ui/notes";

interface Props {
  scopes: Scope[];
  scope: Scope;
  variable: Variable | undefined;
  onClose: () => void;
}

export function VariableDialog({ scopes, scope, variable, onClose }: Props) {
  const [key, setKey] = useState(variable?.key ?? "");
  const [value, setValue] = useState(variable?.is_secret ? "" : (variable?.value ?? ""));
  const [description, setDescription] = useState(variable?.description ?? "");
  const [isSecret, setIsSecret] = useState(variable?.is_secret ?? false);
  const [chosen, setChosen] = useState(scope);
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => {
      if (!variable) return createVariable({ key, value, isSecret, scope: chosen.scope, parentId: chosen.parentId, description });
      const keeps = variable.is_secret && value === "";
      return editVariable(variable.id, key, keeps ? undefined : value, description);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["variables"] });
      onClose();
    },
  });
  const problem = keyProblem(key);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!problem) save.mutate();
  };
  return (
    <Dialog open onClose={onClose} title={variable ? `Edit ${variable.key}` : "New variable"}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Key" error={problem}>
          {(attributes) => <Input {...attributes} mono required autoFocus={!variable} placeholder="DATABASE_URL" value={key} onChange={(event) => setKey(event.target.value)} />}
        </Field>
        <Field label="Value" hint={variable?.is_secret ? "Leave it empty to keep the secret as it is." : <>{"{{OTHER_KEY}}"} puts the value of another variable in.</>}>
          {(attributes) =>
            isSecret ? (
              <Input {...attributes} mono type="password" autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />
            ) : (
              <Textarea {...attributes} rows={3} value={value} onChange={(event) => setValue(event.target.value)} />
            )
          }
        </Field>
        {!variable && (
          <>
            <Check label="Secret" hint="Encrypted, hidden in logs, never shown again." checked={isSecret} onChange={(event) => setIsSecret(event.target.checked)} />
            <Field label="Who sees it" hint={chosen.hint}>
              {(attributes) => (
                <Select {...attributes} value={chosen.scope} onChange={(event) => setChosen(scopes.find((each) => each.scope === event.target.value) ?? scope)}>
                  {scopes.map((each) => (
                    <option key={each.scope} value={each.scope}>
                      {each.label}
                    </option>
                  ))}
                </Select>
              )}
            </Field>
          </>
        )}
        <Field label="Description" optional>
          {(attributes) => <Input {...attributes} maxLength={255} value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
        {save.error && <ProblemNote error={save.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={save.isPending}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
