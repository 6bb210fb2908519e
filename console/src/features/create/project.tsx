import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { createProject } from "@/api/organizations";
import { Button } from "@/ui/button";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Field, Input } from "@/ui/form";
import { ProblemNote } from "@/ui/notes";
import { say } from "@/ui/toasts";

export function NewProject({ organizationId, open, onClose }: { organizationId: string; open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="New project" description="What belongs together: its environments share variables and rules.">
      <Form organizationId={organizationId} onClose={onClose} />
    </Dialog>
  );
}

function Form({ organizationId, onClose }: { organizationId: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const client = useQueryClient();
  const create = useMutation({
    mutationFn: () => createProject(organizationId, name.trim(), description.trim()),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["organization", organizationId, "projects"] });
      say(`Project ${name.trim()} is there`);
      onClose();
    },
  });
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate();
      }}
    >
      <Field label="Name">{(attributes) => <Input {...attributes} required maxLength={128} autoFocus value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <Field label="Description" optional>
        {(attributes) => <Input {...attributes} maxLength={255} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      {create.error && <ProblemNote error={create.error} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" busy={create.isPending}>
          Create project
        </Button>
      </DialogActions>
    </form>
  );
}
