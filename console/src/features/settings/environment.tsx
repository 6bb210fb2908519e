import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { deleteEnvironment, editEnvironment, environmentQuery } from "@/api/environments";
import type { Environment, Mode } from "@/api/types";
import { DangerZone } from "@/features/settings/danger";
import { SettingsForm } from "@/features/settings/form";
import { Field, Input, Select } from "@/ui/form";
import { Loading } from "@/ui/notes";

export function EnvironmentSettings() {
  const { environmentId } = useParams({ from: "/signed-in/environment/$environmentId/settings" });
  const environment = useQuery(environmentQuery(environmentId)).data;
  return environment ? <Settings key={environment.id} environment={environment} /> : <Loading />;
}

function Settings({ environment }: { environment: Environment }) {
  const [name, setName] = useState(environment.name);
  const [mode, setMode] = useState<Mode>(environment.mode);
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <div className="flex w-full max-w-2xl flex-col gap-4">
      <SettingsForm
        title="General"
        onSave={() => editEnvironment(environment.id, name, mode).then(() => client.invalidateQueries({ queryKey: ["environment", environment.id] }))}
      >
        <Field label="Name">{(attributes) => <Input {...attributes} required maxLength={128} value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <Field label="What it is for">
          {(attributes) => (
            <Select {...attributes} value={mode} onChange={(event) => setMode(event.target.value as Mode)}>
              <option value="DEVELOPMENT">Development</option>
              <option value="STAGING">Staging</option>
              <option value="PRODUCTION">Production</option>
              {environment.mode === "PREVIEW" && <option value="PREVIEW">Preview</option>}
            </Select>
          )}
        </Field>
      </SettingsForm>
      <DangerZone
        what="environment"
        name={environment.name}
        consequences="All its services are stopped and deleted with their data."
        onDelete={() => deleteEnvironment(environment.id)}
        onDeleted={async () => {
          await navigate({ to: "/organization/$organizationId", params: { organizationId: environment.organization.id } });
          await client.invalidateQueries({ queryKey: ["organization", environment.organization.id] });
        }}
      />
    </div>
  );
}
