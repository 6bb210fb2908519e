/** Everything within reach of the keyboard: places to go to and things to do where you are. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { Command } from "cmdk";
import type { ReactNode } from "react";

import { environmentQuery, environmentsQuery, servicesQuery } from "@/api/environments";
import { projectQuery, projectsQuery } from "@/api/organizations";
import { servicesInShortQuery } from "@/api/services";
import { organizationsQuery } from "@/api/session";
import { useEnvironmentActions, useServiceActions } from "@/features/actions";
import { useRights } from "@/features/rights";
import { setTheme } from "@/features/frame/theme";
import { useLogout } from "@/features/frame/account";
import { Icon, type IconName } from "@/ui/icons";

export function Palette({ onClose }: { onClose: () => void }) {
  const { organizationId, environmentId, serviceId } = useParams({ strict: false });
  const navigate = useNavigate();
  const leave = useLogout();
  const run = (action: () => unknown) => (): void => {
    onClose();
    void action();
  };
  return (
    <Command.Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      label="Search and commands"
      loop
      overlayClassName="fixed inset-0 z-40 bg-scrim"
      contentClassName="enter fixed left-1/2 top-[12vh] z-50 w-[calc(100vw-1.5rem)] max-w-xl -translate-x-1/2 overflow-hidden rounded-xl border border-line bg-raised shadow-pop max-sm:top-3"
    >
      <div className="flex items-center gap-2 border-b border-line px-3.5">
        <Icon name="search" className="text-muted" />
        <Command.Input placeholder="Go to, or do…" className="h-11 min-w-0 flex-1 bg-transparent text-base outline-none placeholder:text-muted max-sm:text-[16px]" />
      </div>
      <Command.List className="max-h-[50vh] overflow-y-auto p-1.5 [&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:text-2xs [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:uppercase [&_[cmdk-group-heading]]:tracking-wide [&_[cmdk-group-heading]]:text-muted">
        <Command.Empty className="px-3 py-8 text-center text-sm text-muted">Nothing is called that.</Command.Empty>
        <Places organizationId={organizationId} environmentId={environmentId} run={run} />
        {environmentId && serviceId && <ServiceItems environmentId={environmentId} serviceId={serviceId} run={run} />}
        {environmentId && <EnvironmentItems environmentId={environmentId} run={run} />}
        <Command.Group heading="Console">
          <Item icon="sun" onSelect={run(() => setTheme("light"))}>
            Theme: light
          </Item>
          <Item icon="moon" onSelect={run(() => setTheme("dark"))}>
            Theme: dark
          </Item>
          <Item icon="screen" onSelect={run(() => setTheme("system"))}>
            Theme: as the system
          </Item>
          <Item icon="folder" onSelect={run(() => navigate({ to: "/" }))}>
            All projects
          </Item>
          <Item icon="exit" onSelect={run(leave)}>
            Log out
          </Item>
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  );
}

type Run = (action: () => unknown) => () => void;

function ServiceItems({ environmentId, serviceId, run }: { environmentId: string; serviceId: string; run: Run }) {
  const navigate = useNavigate();
  const { data: services = [] } = useQuery(servicesQuery(environmentId));
  const service = services.find((each) => each.id === serviceId);
  const actions = useServiceActions(service);
  const params = { environmentId, serviceId };
  if (!service) return null;
  return (
    <Command.Group heading={service.name}>
      {actions.map(({ name, icon, act }) => (
        <Item key={name} icon={icon} onSelect={run(act)}>
          {name} {service.name}
        </Item>
      ))}
      <Item icon="list" onSelect={run(() => navigate({ to: "/environment/$environmentId/service/$serviceId/logs", params }))}>
        Logs of {service.name}
      </Item>
      <Item icon="key" onSelect={run(() => navigate({ to: "/environment/$environmentId/service/$serviceId/variables", params }))}>
        Variables of {service.name}
      </Item>
      <Item icon="terminal" onSelect={run(() => navigate({ to: "/environment/$environmentId/service/$serviceId/terminal", params }))}>
        Terminal in {service.name}
      </Item>
      <Item icon="chart" onSelect={run(() => navigate({ to: "/environment/$environmentId/service/$serviceId/metrics", params }))}>
        Metrics of {service.name}
      </Item>
    </Command.Group>
  );
}

function EnvironmentItems({ environmentId, run }: { environmentId: string; run: Run }) {
  const navigate = useNavigate();
  const { data: environment } = useQuery(environmentQuery(environmentId));
  const actions = useEnvironmentActions(environment);
  const mayAdd = useRights().may("manage");
  const params = { environmentId };
  if (!environment) return null;
  return (
    <Command.Group heading={environment.name}>
      {actions.map(({ name, icon, act }) => (
        <Item key={name} icon={icon} onSelect={run(act)}>
          {name} everything in {environment.name}
        </Item>
      ))}
      {mayAdd && (
        <Item icon="plus" onSelect={run(() => navigate({ to: "/environment/$environmentId/new", params }))}>
          New service in {environment.name}
        </Item>
      )}
      <Item icon="clock" onSelect={run(() => navigate({ to: "/environment/$environmentId/deployments", params }))}>
        Deployments of {environment.name}
      </Item>
      <Item icon="layers" onSelect={run(() => navigate({ to: "/environment/$environmentId/canvas", params }))}>
        Canvas of {environment.name}
      </Item>
      <Item icon="clock" onSelect={run(() => navigate({ to: "/environment/$environmentId/timetable", params }))}>
        Timetable of {environment.name}
      </Item>
    </Command.Group>
  );
}

function Places({ organizationId, environmentId, run }: { organizationId: string | undefined; environmentId: string | undefined; run: Run }) {
  const navigate = useNavigate();
  const environment = useQuery({ ...environmentQuery(environmentId ?? ""), enabled: Boolean(environmentId) }).data;
  const project = useQuery({ ...projectQuery(environment?.project.id ?? ""), enabled: Boolean(environment) }).data;
  const { data: organizations = [] } = useQuery(organizationsQuery);
  const id = organizationId ?? project?.organization.id ?? organizations[0]?.id ?? "";
  const projects = useQuery({ ...projectsQuery(id), enabled: id !== "" }).data ?? [];
  const environments = useQuery({ ...environmentsQuery(id), enabled: id !== "" }).data ?? [];
  const services = useQuery({ ...servicesInShortQuery(id), enabled: id !== "" }).data ?? [];
  const projectName = (projectId: string): string => projects.find((each) => each.id === projectId)?.name ?? "";
  return (
    <>
      <Command.Group heading="Services">
        {services.map(({ id, name, environment_id, environment_name, project_name }) => (
          <Item
            key={id}
            icon="box"
            keywords={[environment_name, project_name]}
            value={`${name} ${id}`}
            aside={`${project_name} / ${environment_name}`}
            onSelect={run(() => navigate({ to: "/environment/$environmentId/service/$serviceId", params: { environmentId: environment_id, serviceId: id } }))}
          >
            {name}
          </Item>
        ))}
      </Command.Group>
      <Command.Group heading="Environments">
        {environments.map((each) => (
          <Item
            key={each.id}
            icon="layers"
            keywords={[projectName(each.project.id)]}
            value={`${each.name} ${each.id}`}
            aside={projectName(each.project.id)}
            onSelect={run(() => navigate({ to: "/environment/$environmentId", params: { environmentId: each.id } }))}
          >
            {each.name}
          </Item>
        ))}
      </Command.Group>
      {id && (
        <Command.Group heading="Organization">
          <Item icon="user" onSelect={run(() => navigate({ to: "/organization/$organizationId/members", params: { organizationId: id } }))}>
            Members
          </Item>
          <Item icon="key" onSelect={run(() => navigate({ to: "/organization/$organizationId/tokens", params: { organizationId: id } }))}>
            API tokens
          </Item>
          <Item icon="layers" onSelect={run(() => navigate({ to: "/organization/$organizationId/clusters", params: { organizationId: id } }))}>
            Clusters
          </Item>
          <Item icon="list" onSelect={run(() => navigate({ to: "/organization/$organizationId/audit", params: { organizationId: id } }))}>
            Audit log
          </Item>
        </Command.Group>
      )}
    </>
  );
}

interface ItemProps {
  icon: IconName;
  onSelect: () => void;
  children: ReactNode;
  aside?: string;
  value?: string;
  keywords?: string[];
}

function Item({ icon, onSelect, children, aside, value, keywords }: ItemProps) {
  return (
    <Command.Item
      onSelect={onSelect}
      {...(value && { value })}
      {...(keywords && { keywords })}
      className="flex cursor-default items-center gap-2 rounded-md px-2 py-1.5 text-sm data-[selected=true]:bg-hover max-sm:py-2.5"
    >
      <Icon name={icon} className="text-muted" />
      <span className="min-w-0 flex-1 truncate">{children}</span>
      {aside && <span className="truncate text-xs text-muted">{aside}</span>}
    </Command.Item>
  );
}
