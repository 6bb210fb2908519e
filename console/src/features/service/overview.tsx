/** A service at a glance: where it answers, what runs, what it is made from, what happened last. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { serviceDeploymentsQuery } from "@/api/deployments";
import type { ProcessState, Service } from "@/api/types";
import { DeploymentList } from "@/features/deployment/history";
import { hostOf, useLinks } from "@/features/service/link";
import { useService, useServicePlace } from "@/features/service/page";
import { Releases } from "@/features/service/releases";
import { PushCommands, isBuiltIn } from "@/features/service/push";
import { Webhook } from "@/features/service/webhook";
import { useCommit } from "@/features/service/source";
import { usePolling, useStates } from "@/live/hooks";
import { count, shortCommit, subject } from "@/pure/format";
import { runningWord } from "@/pure/states";
import { CopyButton } from "@/ui/copy";
import { Icon } from "@/ui/icons";
import { Empty } from "@/ui/notes";
import { Running } from "@/ui/status";
import { Ago } from "@/ui/time";

export function ServiceOverview() {
  const { environmentId, serviceId } = useServicePlace();
  const { service } = useService();
  const deployments = useQuery({ ...serviceDeploymentsQuery(serviceId), refetchInterval: usePolling() }).data;
  const state = useStates(environmentId)[serviceId];
  if (!service) return null;
  const neverDeployed = deployments?.length === 0;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_22rem] items-start gap-4 max-lg:grid-cols-1">
      <div className="flex min-w-0 flex-col gap-4">
        {neverDeployed && isBuiltIn(service) && (
          <Box title="Push your code to deploy it">
            <PushCommands service={service} />
          </Box>
        )}
        <Box title="Running now">
          {state && !state.deleted && (state.processes?.length ?? 0) > 0 ? (
            <Processes processes={state.processes ?? []} />
          ) : (
            <p className="text-sm text-muted">{neverDeployed ? "Nothing runs yet: it was never deployed." : "No process runs."}</p>
          )}
        </Box>
        <div className="flex flex-col gap-2">
          <h2 className="text-sm font-semibold">Last deployments</h2>
          {deployments && deployments.length > 0 ? (
            <DeploymentList deployments={deployments.slice(0, 8)} />
          ) : (
            <Empty icon="rocket" title="Never deployed">
              {isBuiltIn(service) ? "The first push deploys it." : "Press Deploy, or push to the branch that it follows."}
            </Empty>
          )}
        </div>
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Endpoints service={service} />
        <SourceBox service={service} />
        {!isBuiltIn(service) && service.git_repository && (
          <Box title="Webhook">
            <Webhook service={service} />
          </Box>
        )}
        <Releases service={service} />
        <Resources service={service} />
        {!neverDeployed && isBuiltIn(service) && (
          <Box title="Push a new version">
            <PushCommands service={service} short />
          </Box>
        )}
      </div>
    </div>
  );
}

export function Box({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="panel px-4 py-3">
      <h2 className="mb-2 text-sm font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function Processes({ processes }: { processes: ProcessState[] }) {
  return (
    <ul className="-mx-4 -mb-3">
      {processes.map((process) => (
        <li key={process.name} className="grid grid-cols-[minmax(0,1fr)_auto] items-baseline gap-x-3 border-t border-line px-4 py-2 text-sm">
          <span className="min-w-0 truncate font-mono text-xs">{process.name}</span>
          <Running word={runningWord(process.state)} />
          <span className="col-span-2 flex flex-wrap gap-x-3 text-xs text-muted">
            {process.commit && (
              <span>
                commit <code className="font-mono text-2xs">{shortCommit(process.commit)}</code>
              </span>
            )}
            {process.started_at && (
              <span>
                since <Ago at={process.started_at} />
              </span>
            )}
            {(process.restarts ?? 0) > 0 && <span className="text-warn">restarted {process.restarts === 1 ? "once" : count(process.restarts ?? 0, "time")}</span>}
            {process.reason && <span className="break-words">{process.reason}</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Endpoints({ service }: { service: Service }) {
  const links = useLinks(service);
  return (
    <Box title="Where it answers">
      {links.length === 0 && <p className="text-sm text-muted">{service.ports?.length ? "Not public." : "It has no port."}</p>}
      <ul className="flex flex-col gap-1">
        {links.map(({ url }) => (
          <li key={url} className="flex items-center gap-1">
            <a href={url} target="_blank" rel="noreferrer" className="flex min-w-0 items-center gap-1.5 text-sm font-medium text-accent hover:underline">
              <Icon name="link" size={14} />
              <span className="truncate">{hostOf(url)}</span>
            </a>
            <CopyButton text={url} label="Copy the address" />
          </li>
        ))}
      </ul>
    </Box>
  );
}

function SourceBox({ service }: { service: Service }) {
  const git = service.git_repository;
  const { id, commit } = useCommit(service);
  if (!git) return null;
  return (
    <Box title="Source">
      <Facts
        facts={[
          ["Repository", <span key="r" className="break-all">{git.url}</span>],
          ["Branch", git.branch ?? "main"],
          ...(git.root_path && git.root_path !== "/" ? [["Folder", git.root_path] as [string, ReactNode]] : []),
          ["On push", service.auto_deploy === false ? "Nothing: deploy by hand" : "Deploys by itself"],
          ...(id
            ? ([
                [
                  "Deployed",
                  <span key="c">
                    <code className="font-mono text-xs">{shortCommit(id)}</code> {subject(commit?.message)}
                    {commit?.author_name && <span className="text-muted"> by {commit.author_name}</span>}
                  </span>,
                ],
              ] as [string, ReactNode][])
            : []),
        ]}
      />
    </Box>
  );
}

function Resources({ service }: { service: Service }) {
  const instances =
    service.min_running_instances === service.max_running_instances
      ? String(service.min_running_instances ?? 1)
      : `${service.min_running_instances} to ${service.max_running_instances}`;
  return (
    <Box title="Resources">
      <Facts
        facts={[
          ["CPU", `${service.cpu ?? "–"} m`],
          ["Memory", `${service.memory ?? "–"} MiB`],
          ["Instances", instances],
          ["Ports", service.ports?.map((port) => `${port.internal_port}${port.publicly_accessible ? " public" : ""}`).join(", ") || "none"],
        ]}
      />
    </Box>
  );
}

export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[5.5rem_minmax(0,1fr)] gap-x-3 gap-y-1 text-sm">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-muted">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
