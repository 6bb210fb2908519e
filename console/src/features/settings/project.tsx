import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { deleteProject, editProject, projectQuery } from "@/api/organizations";
import type { Project } from "@/api/types";
import { DangerZone } from "@/features/settings/danger";
import { SettingsForm } from "@/features/settings/form";
import { Field, Input } from "@/ui/form";
import { Loading, ProblemNote } from "@/ui/notes";

export function ProjectSettings() {
  const { projectId } = useParams({ from: "/signed-in/project/$projectId/settings" });
  const project = useQuery(projectQuery(projectId));
  if (project.error) return <ProblemNote error={project.error} />;
  if (!project.data) return <Loading />;
  return <Settings project={project.data} />;
}

function Settings({ project }: { project: Project }) {
  const [name, setName] = useState(project.name);
  const [description, setDescription] = useState(project.description ?? "");
  const client = useQueryClient();
  const navigate = useNavigate();
  const organizationId = project.organization.id;
  const refresh = async (): Promise<void> => {
    await client.invalidateQueries({ queryKey: ["project", project.id] });
    await client.invalidateQueries({ queryKey: ["organization", organizationId, "projects"] });
  };
  return (
    <div className="mx-auto flex w-full max-w-2xl flex-col gap-4">
      <h1 className="text-xl font-semibold">{project.name}: settings</h1>
      <SettingsForm title="General" onSave={() => editProject(project.id, name, description).then(refresh)}>
        <Field label="Name">{(attributes) => <Input {...attributes} required maxLength={128} value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <Field label="Description" optional>
          {(attributes) => <Input {...attributes} maxLength={255} value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
      </SettingsForm>
      <DangerZone
        what="project"
        name={project.name}
        consequences="Its environments have to be deleted first."
        onDelete={() => deleteProject(project.id)}
        onDeleted={async () => {
          await navigate({ to: "/organization/$organizationId", params: { organizationId } });
          client.removeQueries({ queryKey: ["project", project.id] });
          await client.invalidateQueries({ queryKey: ["organization", organizationId, "projects"] });
        }}
      />
    </div>
  );
}
