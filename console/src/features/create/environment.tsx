import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { createEnvironment } from "@/api/environments";
import { clustersQuery } from "@/api/organizations";
import type { Mode, Project } from "@/api/types";
import { Button } from "@/ui/button";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Field, Input, Select } from "@/ui/form";
import { ProblemNote } from "@/ui/notes";

export function NewEnvironment({ project, open, onClose }: { project: Project; open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="New environment" description={`One running copy of ${project.name}, apart from the others.`}>
      <Form project={project} onClose={onClose} />
    </Dialog>
  );
}

function Form({ project, onClose }: { project: Project; onClose: () => void }) {
  const clusters = useQuery(clustersQuery(project.organization.id));
  const [name, setName] = useState("");
  const [mode, setMode] = useState<Mode>("DEVELOPMENT");
  const [cluster, setCluster] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const chosen = cluster || clusters.data?.[0]?.id || "";
  const create = useMutation({
    mutationFn: () => createEnvironment(project.id, name.trim(), mode, chosen),
    onSuccess: async (environment) => {
      await client.invalidateQueries({ queryKey: ["organization", project.organization.id, "environments"] });
      await navigate({ to: "/environment/$environmentId", params: { environmentId: environment.id } });
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
      <Field label="Name">
        {(attributes) => <Input {...attributes} required maxLength={128} autoFocus placeholder="staging" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="What it is for" hint="Rights and rules can differ by it.">
        {(attributes) => (
          <Select {...attributes} value={mode} onChange={(event) => setMode(event.target.value as Mode)}>
            <option value="DEVELOPMENT">Development</option>
            <option value="STAGING">Staging</option>
            <option value="PRODUCTION">Production</option>
          </Select>
        )}
      </Field>
      <Field label="Cluster" hint="Where it runs; it stays there.">
        {(attributes) => (
          <Select {...attributes} value={chosen} onChange={(event) => setCluster(event.target.value)}>
            {clusters.data?.map((each) => (
              <option key={each.id} value={each.id}>
                {each.name}
              </option>
            ))}
          </Select>
        )}
      </Field>
      {(create.error ?? clusters.error) && <ProblemNote error={create.error ?? clusters.error} />}
      <DialogActions>
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" busy={create.isPending} disabled={!chosen}>
          Create environment
        </Button>
      </DialogActions>
    </form>
  );
}
