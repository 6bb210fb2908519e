/** The services of an environment, stage by stage, in the order in which they are deployed. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { stagesQuery, statusesQuery } from "@/api/environments";
import type { Deployment, Service, ServiceStatus, Stage } from "@/api/types";
import { useServiceActions } from "@/features/actions";
import { concerns } from "@/pure/steps";
import { ServiceLinkButton } from "@/features/service/link";
import { Source } from "@/features/service/source";
import { statusList, summariseService } from "@/features/organization/summary";
import { type States, useStates } from "@/live/hooks";
import { stageName } from "@/pure/states";
import { IconButton } from "@/ui/button";
import { Menu, MenuItem, MenuLine, MenuLink } from "@/ui/menu";
import { Icon } from "@/ui/icons";
import { Deployed, OutOfDate, Running } from "@/ui/status";
import { Ago } from "@/ui/time";

interface Props {
  environmentId: string;
  services: Service[];
  deployments: Deployment[];
}

export function ServicesByStage({ environmentId, services, deployments }: Props) {
  const stages = useQuery(stagesQuery(environmentId)).data ?? [];
  const statuses = new Map(statusList(useQuery(statusesQuery(environmentId)).data).map((status) => [status.id, status]));
  const states = useStates(environmentId);
  return (
    <div className="flex flex-col gap-4">
      {grouped(services, stages).map(({ name, members }) => (
        <section key={name} aria-label={name || "Services"} className="panel">
          {name && (
            <h2 className="flex items-center gap-2 border-b border-line px-4 py-2 text-xs font-medium text-muted">
              <Icon name="layers" size={13} /> {name}
            </h2>
          )}
          <ul>
            {members.map((service) => (
              <ServiceRow
                key={service.id}
                service={service}
                status={statuses.get(service.id)}
                states={states}
                last={deployments.find((deployment) => concerns(deployment, service.id))}
              />
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

/** Services by stage; stages without services are left out, services of no known stage come last. */
export function grouped(services: Service[], stages: Stage[]): { name: string; members: Service[] }[] {
  const ordered = [...stages].sort((one, other) => (one.deployment_order ?? 0) - (other.deployment_order ?? 0));
  const placed = new Set<string>();
  const groups = ordered.map((stage) => {
    const ids = new Set((stage.services ?? []).map((each) => each.service_id ?? each.id));
    const members = services.filter(({ id }) => ids.has(id));
    for (const { id } of members) placed.add(id);
    return { name: stageName(stage.name ?? "Stage"), members };
  });
  const others = services.filter(({ id }) => !placed.has(id));
  return [...groups, { name: groups.some(({ members }) => members.length > 0) ? "Other" : "", members: others }].filter(({ members }) => members.length > 0);
}

function ServiceRow({ service, status, states, last }: { service: Service; status: ServiceStatus | undefined; states: States; last: Deployment | undefined }) {
  const { running, deployed, reason, isOutOfDate } = summariseService(service, status, states);
  const params = { environmentId: service.environment.id, serviceId: service.id };
  return (
    <li className="grid grid-cols-[minmax(0,1.6fr)_minmax(0,1fr)_minmax(0,1.1fr)_auto] items-center gap-x-4 gap-y-1 border-b border-line px-4 py-2.5 last:border-0 max-md:grid-cols-[minmax(0,1fr)_auto]">
      <div className="min-w-0">
        <Link to="/environment/$environmentId/service/$serviceId" params={params} className="block truncate font-medium hover:underline">
          {service.name}
        </Link>
        <Source service={service} />
      </div>
      <div className="min-w-0 max-md:order-3 max-md:col-span-2">
        {running ? <Running word={running} /> : <span className="text-sm text-muted">Not running yet</span>}
        {reason && <p className="truncate text-xs text-muted" title={reason}>{reason}</p>}
      </div>
      <div className="min-w-0 max-md:order-4 max-md:col-span-2">
        {last ? (
          <Link
            to="/environment/$environmentId/deployment/$deploymentId"
            params={{ environmentId: service.environment.id, deploymentId: last.id }}
            className="flex flex-wrap items-center gap-x-1.5 hover:underline"
          >
            <Deployed word={deployed} />
            <span className="text-xs text-muted">
              #{last.number} <Ago at={last.ended_at ?? last.created_at} />
            </span>
          </Link>
        ) : (
          <Deployed word={deployed} />
        )}
        {isOutOfDate && <OutOfDate />}
      </div>
      <div className="flex items-center gap-0.5 max-md:order-2">
        <ServiceLinkButton service={service} />
        <ServiceMenu service={service} />
      </div>
    </li>
  );
}

function ServiceMenu({ service }: { service: Service }) {
  const actions = useServiceActions(service);
  const params = { environmentId: service.environment.id, serviceId: service.id };
  return (
    <Menu trigger={<IconButton icon="more" label={`Actions for ${service.name}`} />}>
      {actions.map(({ name, icon, act }) => (
        <MenuItem key={name} icon={icon} onSelect={() => void act()}>
          {name}
        </MenuItem>
      ))}
      {actions.length > 0 && <MenuLine />}
      <MenuLink>
        <Link to="/environment/$environmentId/service/$serviceId/logs" params={params}>
          <Icon name="list" className="text-muted" /> Logs
        </Link>
      </MenuLink>
      <MenuLink>
        <Link to="/environment/$environmentId/service/$serviceId/terminal" params={params}>
          <Icon name="terminal" className="text-muted" /> Terminal
        </Link>
      </MenuLink>
    </Menu>
  );
}
