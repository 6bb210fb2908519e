import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { deleteService, editService } from "@/api/services";
import type { Port, Service } from "@/api/types";
import { DangerZone } from "@/features/settings/danger";
import { SettingsForm } from "@/features/settings/form";
import { useService } from "@/features/service/page";
import { Check, Field, Input } from "@/ui/form";
import { Loading } from "@/ui/notes";

export function ServiceSettings() {
  const { service } = useService();
  return service ? <Settings key={service.id} service={service} /> : <Loading />;
}

function Settings({ service }: { service: Service }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const environmentId = service.environment.id;
  const save = async (changes: Partial<Service>): Promise<void> => {
    await editService(service, changes);
    await client.invalidateQueries({ queryKey: ["service", service.id] });
    await client.invalidateQueries({ queryKey: ["environment", environmentId] });
  };
  return (
    <div className="flex w-full max-w-2xl flex-col gap-4">
      <General service={service} save={save} />
      {service.git_repository && <Source service={service} save={save} />}
      <Running service={service} save={save} />
      <Ports service={service} save={save} />
      <DangerZone
        what="service"
        name={service.name}
        consequences="It is stopped and removed, with its logs and releases."
        onDelete={() => deleteService(service)}
        onDeleted={async () => {
          await navigate({ to: "/environment/$environmentId", params: { environmentId } });
          await client.invalidateQueries({ queryKey: ["environment", environmentId] });
        }}
      />
    </div>
  );
}

interface Part {
  service: Service;
  save: (changes: Partial<Service>) => Promise<void>;
}

function General({ service, save }: Part) {
  const [name, setName] = useState(service.name);
  const [description, setDescription] = useState(service.description ?? "");
  return (
    <SettingsForm title="General" onSave={() => save({ name, description })}>
      <Field label="Name" hint="Its address stays the same.">
        {(attributes) => <Input {...attributes} required maxLength={128} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Description" optional>
        {(attributes) => <Input {...attributes} maxLength={255} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </SettingsForm>
  );
}

function Source({ service, save }: Part) {
  const git = service.git_repository;
  const [branch, setBranch] = useState(git?.branch ?? "main");
  const [folder, setFolder] = useState(git?.root_path ?? "/");
  const [autoDeploy, setAutoDeploy] = useState(service.auto_deploy ?? true);
  if (!git) return null;
  return (
    <SettingsForm title="Source" hint={git.url} onSave={() => save({ git_repository: { ...git, branch, root_path: folder }, auto_deploy: autoDeploy })}>
      <div className="grid grid-cols-2 gap-4 max-sm:grid-cols-1">
        <Field label="Branch">{(attributes) => <Input {...attributes} mono required value={branch} onChange={(event) => setBranch(event.target.value)} />}</Field>
        <Field label="Folder">{(attributes) => <Input {...attributes} mono required value={folder} onChange={(event) => setFolder(event.target.value)} />}</Field>
      </div>
      <Check label="Deploy every push to this branch" checked={autoDeploy} onChange={(event) => setAutoDeploy(event.target.checked)} />
    </SettingsForm>
  );
}

function Running({ service, save }: Part) {
  const [cpu, setCpu] = useState(String(service.cpu ?? 500));
  const [memory, setMemory] = useState(String(service.memory ?? 512));
  const [entrypoint, setEntrypoint] = useState(service.entrypoint ?? "");
  return (
    <SettingsForm
      title="Resources and start"
      hint="In force with the next deployment."
      onSave={() => save({ cpu: Number(cpu), memory: Number(memory), ...(entrypoint || service.entrypoint ? { entrypoint } : {}) })}
    >
      <div className="grid grid-cols-2 gap-4 max-sm:grid-cols-1">
        <Field label="CPU" hint="In thousandths of a core.">
          {(attributes) => <Input {...attributes} mono type="number" required min={10} value={cpu} onChange={(event) => setCpu(event.target.value)} />}
        </Field>
        <Field label="Memory" hint="In MiB.">
          {(attributes) => <Input {...attributes} mono type="number" required min={16} value={memory} onChange={(event) => setMemory(event.target.value)} />}
        </Field>
      </div>
      <Field label="Start command" optional hint="Instead of what was detected.">
        {(attributes) => <Input {...attributes} mono value={entrypoint} onChange={(event) => setEntrypoint(event.target.value)} />}
      </Field>
    </SettingsForm>
  );
}

function Ports({ service, save }: Part) {
  const [first] = service.ports ?? [];
  const [has, setHas] = useState(Boolean(first));
  const [internal, setInternal] = useState(String(first?.internal_port ?? 8080));
  const [isPublic, setIsPublic] = useState(first?.publicly_accessible ?? true);
  const ports = (): Port[] => {
    if (!has) return [];
    const port = first ?? { name: `p${internal}`, external_port: 443, protocol: "HTTP", is_default: true };
    return [{ ...port, internal_port: Number(internal), publicly_accessible: isPublic }, ...(service.ports ?? []).slice(1)];
  };
  return (
    <SettingsForm title="Port" hint="In force with the next deployment." onSave={() => save({ ports: ports() })}>
      <Check label="It answers over HTTP" checked={has} onChange={(event) => setHas(event.target.checked)} />
      {has && (
        <>
          <Field label="Port" hint="The one on which the program listens.">
            {(attributes) => <Input {...attributes} mono type="number" required min={1} max={65535} value={internal} onChange={(event) => setInternal(event.target.value)} />}
          </Field>
          <Check label="Public" hint="It has an address that anybody can open." checked={isPublic} onChange={(event) => setIsPublic(event.target.checked)} />
        </>
      )}
    </SettingsForm>
  );
}
