/** One environment: its services by stage, its deployments, variables and settings. */

import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { deploymentsQuery } from "@/api/deployments";
import { environmentQuery, servicesQuery, statusesQuery } from "@/api/environments";
import { useEnvironmentActions } from "@/features/actions";
import { projectQuery } from "@/api/organizations";
import { DeploymentNow } from "@/features/environment/now";
import { PlanDialog } from "@/features/environment/plan";
import { ServicesByStage } from "@/features/environment/services";
import { summarise } from "@/features/organization/summary";
import { word } from "@/features/organization/words";
import { useRights } from "@/features/rights";
import { useEnvironmentLive, usePolling, useStates } from "@/live/hooks";
import { command } from "@/pure/cli";
import { Button, IconButton, buttonClass } from "@/ui/button";
import { CliMenu } from "@/ui/copy";
import { Icon } from "@/ui/icons";
import { Menu, MenuItem } from "@/ui/menu";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Deployed, Mode, Running } from "@/ui/status";
import { Tab, Tabs } from "@/ui/tabs";
import { Ago } from "@/ui/time";

export function useEnvironmentId(): string {
  return useParams({ from: "/signed-in/environment/$environmentId" }).environmentId;
}

export function EnvironmentPage() {
  const environmentId = useEnvironmentId();
  const environment = useQuery(environmentQuery(environmentId));
  useEnvironmentLive(environmentId);
  if (environment.error) return <ProblemNote error={environment.error} retry={() => void environment.refetch()} />;
  return (
    <div className="flex flex-col gap-4">
      <Head />
      <Tabs label="Environment">
        <Tab to="/environment/$environmentId" params={{ environmentId }} exact>
          Services
        </Tab>
        <Tab to="/environment/$environmentId/canvas" params={{ environmentId }}>
          Canvas
        </Tab>
        <Tab to="/environment/$environmentId/deployments" params={{ environmentId }}>
          Deployments
        </Tab>
        <Tab to="/environment/$environmentId/variables" params={{ environmentId }}>
          Variables
        </Tab>
        <Tab to="/environment/$environmentId/timetable" params={{ environmentId }}>
          Timetable
        </Tab>
        <Tab to="/environment/$environmentId/settings" params={{ environmentId }}>
          Settings
        </Tab>
      </Tabs>
      <Outlet />
    </div>
  );
}

function Head() {
  const environmentId = useEnvironmentId();
  const environment = useQuery(environmentQuery(environmentId)).data;
  const services = useQuery(servicesQuery(environmentId));
  const statuses = useQuery({ ...statusesQuery(environmentId), refetchInterval: usePolling() });
  const states = useStates(environmentId);
  const actions = useEnvironmentActions(environment);
  const mayAdd = useRights().may("manage");
  const project = useQuery({ ...projectQuery(environment?.project.id ?? ""), enabled: Boolean(environment) }).data;
  const [planning, setPlanning] = useState(false);
  if (!environment) return <Loading lines={2} />;
  const summary = summarise(services.data ?? [], statuses.data, states);
  const [deploy, ...more] = actions;
  const isEmpty = services.data?.length === 0;
  return (
    <header className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <h1 className="min-w-0 truncate text-xl font-semibold">{environment.name}</h1>
        <Mode mode={environment.mode} />
        <div className="ml-auto flex flex-wrap items-center gap-1.5">
          <CliMenu commands={[{ does: "Services and what they do", command: command("services", project?.name ?? "") }, { does: "Deploy one and watch it", command: command("deploy", "<service>", "--watch") }]} />
          {mayAdd && (
            <Link to="/environment/$environmentId/new" params={{ environmentId }} className={buttonClass("secondary")}>
              <Icon name="plus" size={15} /> New service
            </Link>
          )}
          {deploy && (
            <Button look="primary" icon="rocket" disabled={isEmpty} onClick={() => void deploy.act()}>
              Deploy
            </Button>
          )}
          <Menu trigger={<IconButton icon="more" label="More actions" />}>
            <MenuItem icon="list" disabled={isEmpty} onSelect={() => setPlanning(true)}>
              Show the plan first
            </MenuItem>
            {more.map(({ name, icon, act }) => (
              <MenuItem key={name} icon={icon} disabled={isEmpty} onSelect={() => void act()}>
                {name} everything
              </MenuItem>
            ))}
          </Menu>
          {planning && deploy && <PlanDialog environmentId={environmentId} onDeploy={deploy.act} onClose={() => setPlanning(false)} />}
        </div>
      </div>
      <dl className="flex flex-wrap gap-x-8 gap-y-1">
        <div className="flex items-center gap-2">
          <dt className="text-xs text-muted">Running now</dt>
          <dd>
            {summary.running ? (
              <Running word={word(summary.running, summary.services.length, summary.upCount)} />
            ) : (
              <span className="text-sm text-muted">{isEmpty ? "No services" : summary.deployed.label === "Never deployed" ? "Nothing yet" : "Not told yet"}</span>
            )}
          </dd>
        </div>
        <div className="flex items-center gap-2">
          <dt className="text-xs text-muted">Last deployment</dt>
          <dd className="flex items-center gap-1.5">
            <Deployed word={summary.deployed} />
            {summary.deployedAt && (
              <span className="text-xs text-muted">
                <Ago at={summary.deployedAt} />
              </span>
            )}
          </dd>
        </div>
        {environment.cluster_name && (
          <div className="flex items-center gap-2 max-sm:hidden">
            <dt className="text-xs text-muted">Cluster</dt>
            <dd className="text-sm">{environment.cluster_name}</dd>
          </div>
        )}
      </dl>
    </header>
  );
}

export function EnvironmentServices() {
  const environmentId = useEnvironmentId();
  const services = useQuery(servicesQuery(environmentId));
  const deployments = useQuery({ ...deploymentsQuery(environmentId), refetchInterval: usePolling() });
  const mayAdd = useRights().may("manage");
  if (services.error) return <ProblemNote error={services.error} retry={() => void services.refetch()} />;
  if (!services.data) return <Loading lines={5} className="panel p-5" />;
  if (services.data.length === 0) {
    return (
      <Empty
        icon="box"
        title="No service yet"
        action={
          mayAdd && (
            <Link to="/environment/$environmentId/new" params={{ environmentId }} className={buttonClass("primary")}>
              <Icon name="plus" size={15} /> New service
            </Link>
          )
        }
      >
        A service is one thing that runs: give a Git address, or push to a repository that Slipway keeps for you. It is built, started and watched by itself.
      </Empty>
    );
  }
  return (
    <div className="flex flex-col gap-4">
      <DeploymentNow deployments={deployments.data ?? []} />
      <ServicesByStage environmentId={environmentId} services={services.data} deployments={deployments.data ?? []} />
    </div>
  );
}
