/** A new service: from a repository that is pushed to Slipway, or from a Git address. Then what to do next. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";

import { environmentQuery } from "@/api/environments";
import { projectQuery } from "@/api/organizations";
import { createApplication, deployService, type NewApplication } from "@/api/services";
import type { Service } from "@/api/types";
import { isBuiltIn, PushCommands } from "@/features/service/push";
import { Webhook } from "@/features/service/webhook";
import { gitUrlProblem, providerOf, repositoryName } from "@/pure/names";
import { Button, buttonClass } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Check, Field, Input } from "@/ui/form";
import { Icon, type IconName } from "@/ui/icons";
import { Loading, ProblemNote } from "@/ui/notes";

type From = "push" | "git";

export function NewServicePage() {
  const { environmentId } = useParams({ from: "/signed-in/environment/$environmentId/new" });
  const environment = useQuery(environmentQuery(environmentId));
  const project = useQuery({ ...projectQuery(environment.data?.project.id ?? ""), enabled: Boolean(environment.data) }).data;
  const [from, setFrom] = useState<From>("push");
  const [made, setMade] = useState<Service>();
  if (environment.error) return <ProblemNote error={environment.error} />;
  if (!environment.data || !project) return <Loading lines={4} />;
  if (made) return <Made service={made} environmentId={environmentId} />;
  return (
    <div className="mx-auto flex w-full max-w-2xl flex-col gap-5">
      <header>
        <h1 className="text-xl font-semibold">New service</h1>
        <p className="text-sm text-muted">
          in {project.name} / {environment.data.name}
        </p>
      </header>
      <div role="radiogroup" aria-label="Where the code comes from" className="grid grid-cols-2 gap-3 max-sm:grid-cols-1">
        <Choice icon="terminal" title="Push to Slipway" chosen={from === "push"} onChoose={() => setFrom("push")}>
          A repository kept here. You push from your machine.
        </Choice>
        <Choice icon="branch" title="Git address" chosen={from === "git"} onChoose={() => setFrom("git")}>
          A repository on GitHub, GitLab, Gitea or another server.
        </Choice>
      </div>
      <Form key={from} from={from} environmentId={environmentId} onMade={setMade} />
    </div>
  );
}

function Choice({ icon, title, chosen, onChoose, children }: { icon: IconName; title: string; chosen: boolean; onChoose: () => void; children: string }) {
  return (
    <button
      type="button"
      role="radio"
      aria-checked={chosen}
      onClick={onChoose}
      className={cx("panel flex gap-3 px-4 py-3 text-left", chosen ? "border-accent bg-accent-soft" : "hover:bg-hover")}
    >
      <Icon name={icon} size={18} className={cx("mt-0.5", chosen ? "text-accent" : "text-muted")} />
      <span>
        <span className="block font-medium">{title}</span>
        <span className="block text-sm text-muted">{children}</span>
      </span>
    </button>
  );
}

interface FormProps {
  from: From;
  environmentId: string;
  onMade: (service: Service) => void;
}

function Form({ from, environmentId, onMade }: FormProps) {
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [branch, setBranch] = useState("main");
  const [folder, setFolder] = useState("/");
  const [hasPort, setHasPort] = useState(true);
  const [port, setPort] = useState("8080");
  const [autoDeploy, setAutoDeploy] = useState(true);
  const client = useQueryClient();
  const navigate = useNavigate();

  const called = name.trim() || (from === "git" ? repositoryName(url) : "");
  const address = from === "git" ? url.trim() : ""; // the platform gives it an address below /git
  const urlProblem = from === "git" ? gitUrlProblem(url) : undefined;
  const wanted: NewApplication = {
    name: called,
    description: "",
    url: address,
    branch: branch.trim() || "main",
    rootPath: folder.trim() || "/",
    provider: from === "push" ? "SLIPWAY" : providerOf(address),
    port: hasPort ? Number(port) : null,
    autoDeploy,
  };
  const create = useMutation({
    mutationFn: () => createApplication(environmentId, wanted),
    onSuccess: async (service) => {
      await client.invalidateQueries({ queryKey: ["environment", environmentId] });
      onMade(service);
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!urlProblem) create.mutate();
  };

  return (
    <form onSubmit={submit} className="panel flex flex-col gap-4 p-5">
      {from === "git" && (
        <Field label="Git address" error={urlProblem} hint="https. For a private repository, add a Git token to the organization first.">
          {(attributes) => <Input {...attributes} mono required autoFocus placeholder="https://github.com/you/repository.git" value={url} onChange={(event) => setUrl(event.target.value)} />}
        </Field>
      )}
      <Field label="Name" hint="A short word: web, api, worker. Its address begins with it.">
        {(attributes) => (
          <Input {...attributes} required={from === "push"} autoFocus={from === "push"} maxLength={63} placeholder={from === "git" ? called : "web"} value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <div className="grid grid-cols-2 gap-4 max-sm:grid-cols-1">
        <Field label="Branch">{(attributes) => <Input {...attributes} mono required value={branch} onChange={(event) => setBranch(event.target.value)} />}</Field>
        <Field label="Folder" hint="Where in the repository the service lives.">
          {(attributes) => <Input {...attributes} mono value={folder} onChange={(event) => setFolder(event.target.value)} />}
        </Field>
      </div>
      <div className="grid grid-cols-2 items-start gap-4 max-sm:grid-cols-1">
        <Check label="It answers over HTTP" hint="It gets an address, and is healthy once its port answers." checked={hasPort} onChange={(event) => setHasPort(event.target.checked)} />
        {hasPort && (
          <Field label="Port" hint="It is told by $PORT as well.">
            {(attributes) => <Input {...attributes} mono required type="number" min={1} max={65535} value={port} onChange={(event) => setPort(event.target.value)} />}
          </Field>
        )}
      </div>
      <Check label="Deploy every push to this branch" checked={autoDeploy} onChange={(event) => setAutoDeploy(event.target.checked)} />
      <Detection />
      {create.error && <ProblemNote error={create.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={() => void navigate({ to: "/environment/$environmentId", params: { environmentId } })}>Cancel</Button>
        <Button type="submit" look="primary" busy={create.isPending}>
          Create service
        </Button>
      </div>
    </form>
  );
}

function Detection() {
  return (
    <details className="rounded-md bg-sunken px-3 py-2 text-sm">
      <summary className="text-muted">How it will be built</summary>
      <ul className="mt-2 list-disc pl-4 text-muted">
        <li>
          A <code className="font-mono text-xs text-text">Procfile</code> says how to start it, and wins.
        </li>
        <li>Python by requirements.txt, pyproject.toml, uv.lock or poetry.lock.</li>
        <li>Node by package.json, with npm, pnpm or yarn by the lock file.</li>
        <li>A static site by index.html.</li>
        <li>A Dockerfile where the cluster can build images.</li>
      </ul>
    </details>
  );
}

function Made({ service, environmentId }: { service: Service; environmentId: string }) {
  const isPush = isBuiltIn(service);
  const deploy = useMutation({ mutationFn: () => deployService(service) });
  const navigate = useNavigate();
  const params = { environmentId, serviceId: service.id };
  return (
    <div className="mx-auto flex w-full max-w-2xl flex-col gap-4">
      <header className="flex items-center gap-3">
        <span className="flex size-8 items-center justify-center rounded-full bg-good-soft text-good">
          <Icon name="check" />
        </span>
        <h1 className="text-xl font-semibold">{service.name} is there</h1>
      </header>
      <section className="panel flex flex-col gap-3 p-5">
        <h2 className="font-medium">{isPush ? "Push your code" : "Deploy it"}</h2>
        {isPush ? (
          <PushCommands service={service} />
        ) : (
          <>
            <p className="text-sm text-muted">It follows the branch {service.git_repository?.branch}. Deploy what is there now:</p>
            {deploy.error && <ProblemNote error={deploy.error} />}
            <Button
              look="primary"
              icon="rocket"
              className="self-start"
              busy={deploy.isPending}
              onClick={() => deploy.mutate(undefined, { onSuccess: () => void navigate({ to: "/environment/$environmentId", params: { environmentId } }) })}
            >
              Deploy now
            </Button>
          </>
        )}
      </section>
      {!isPush && (
        <section className="panel flex flex-col gap-3 p-5">
          <h2 className="font-medium">Deploy pushes by themselves</h2>
          <Webhook service={service} />
        </section>
      )}
      <div className="flex gap-2">
        <Link to="/environment/$environmentId/service/$serviceId" params={params} className={buttonClass("secondary")}>
          To the service
        </Link>
        <Link to="/environment/$environmentId/service/$serviceId/variables" params={params} className={buttonClass("secondary")}>
          Add variables
        </Link>
      </div>
    </div>
  );
}
