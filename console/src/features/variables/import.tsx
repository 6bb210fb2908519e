import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { createVariable } from "@/api/variables";
import type { Scope } from "@/features/variables/page";
import { count } from "@/pure/format";
import { keyProblem, parseDotenv } from "@/pure/names";
import { Button } from "@/ui/button";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Check, Field, Select, Textarea } from "@/ui/form";
import { ProblemNote } from "@/ui/notes";
import { say } from "@/ui/toasts";

/** Many variables at once, from the text of a `.env` file. The ones that are refused are named; the others are there. */
export function ImportDialog({ scopes, onClose }: { scopes: Scope[]; onClose: () => void }) {
  const [text, setText] = useState("");
  const [secret, setSecret] = useState(false);
  const [chosen, setChosen] = useState(scopes[0] as Scope);
  const client = useQueryClient();
  const pairs = useMemo(() => [...new Map(parseDotenv(text).map((pair) => [pair.key, pair])).values()], [text]);
  const bad = pairs.filter(({ key }) => keyProblem(key));
  const take = useMutation({
    mutationFn: async () => {
      for (const { key, value } of pairs) {
        await createVariable({ key, value, isSecret: secret, scope: chosen.scope, parentId: chosen.parentId, description: "" });
      }
    },
    onSuccess: () => {
      say(`${count(pairs.length, "variable")} added`);
      onClose();
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["variables"] }),
  });
  return (
    <Dialog open onClose={onClose} wide title="Paste a .env file">
      <Field label="Text" hint={bad.length > 0 ? undefined : `${count(pairs.length, "variable")} found`} error={bad.length > 0 ? `Can't be keys: ${bad.map(({ key }) => key).join(", ")}` : undefined}>
        {(attributes) => <Textarea {...attributes} rows={9} autoFocus placeholder={"KEY=value\nOTHER='with spaces'"} value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
      <Field label="Who sees them" hint={chosen.hint}>
        {(attributes) => (
          <Select {...attributes} value={chosen.scope} onChange={(event) => setChosen(scopes.find((each) => each.scope === event.target.value) ?? chosen)}>
            {scopes.map((each) => (
              <option key={each.scope} value={each.scope}>
                {each.label}
              </option>
            ))}
          </Select>
        )}
      </Field>
      <Check label="They are secrets" hint="Encrypted, hidden in logs, never shown again." checked={secret} onChange={(event) => setSecret(event.target.checked)} />
      {take.error && <ProblemNote error={take.error} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button look="primary" busy={take.isPending} disabled={pairs.length === 0 || bad.length > 0} onClick={() => take.mutate()}>
          Add {count(pairs.length, "variable")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
