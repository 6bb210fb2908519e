/** One service: head with both statuses and what can be done, tabs below. */

import { useQuery } from "@tanstack/react-query";
import { Outlet, useParams } from "@tanstack/react-router";

import { environmentQuery, servicesQuery, statusesQuery } from "@/api/environments";
import { projectQuery } from "@/api/organizations";
import { serviceQuery } from "@/api/services";
import type { Service } from "@/api/types";
import { pathOf, serviceCommands, useServiceActions } from "@/features/actions";
import { statusList, summariseService } from "@/features/organization/summary";
import { OpenService } from "@/features/service/link";
import { useEnvironmentLive, usePolling, useStates } from "@/live/hooks";
import { Button, IconButton } from "@/ui/button";
import { CliMenu } from "@/ui/copy";
import { Menu, MenuItem } from "@/ui/menu";
import { Loading, ProblemNote } from "@/ui/notes";
import { Deployed, OutOfDate, Running } from "@/ui/status";
import { Tab, Tabs } from "@/ui/tabs";

export interface ServicePlace {
  environmentId: string;
  serviceId: string;
}

export const useServicePlace = (): ServicePlace => useParams({ from: "/signed-in/environment/$environmentId/service/$serviceId" });

/** The service of the page; its kind is known from the environment's list before the service itself is asked for. */
export function useService(): { service: Service | undefined; error: Error | null; refetch: () => void } {
  const { environmentId, serviceId } = useServicePlace();
  const listed = useQuery(servicesQuery(environmentId)).data?.find((each) => each.id === serviceId);
  const query = useQuery({ ...serviceQuery(serviceId, listed?.service_type), ...(listed && { placeholderData: listed }) });
  return { service: query.data ?? listed, error: query.error, refetch: () => void query.refetch() };
}

export function ServicePage() {
  const place = useServicePlace();
  const { service, error, refetch } = useService();
  useEnvironmentLive(place.environmentId);
  if (error && !service) return <ProblemNote error={error} retry={refetch} />;
  if (!service) return <Loading lines={4} />;
  const params = { ...place };
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-4">
      <Head service={service} />
      <Tabs label="Service">
        <Tab to="/environment/$environmentId/service/$serviceId" params={params} exact>
          Overview
        </Tab>
        <Tab to="/environment/$environmentId/service/$serviceId/logs" params={params}>
          Logs
        </Tab>
        <Tab to="/environment/$environmentId/service/$serviceId/variables" params={params}>
          Variables
        </Tab>
        <Tab to="/environment/$environmentId/service/$serviceId/metrics" params={params}>
          Metrics
        </Tab>
        <Tab to="/environment/$environmentId/service/$serviceId/terminal" params={params}>
          Terminal
        </Tab>
        {service.git_repository && (
          <Tab to="/environment/$environmentId/service/$serviceId/deliveries" params={params}>
            Deliveries
          </Tab>
        )}
        <Tab to="/environment/$environmentId/service/$serviceId/settings" params={params}>
          Settings
        </Tab>
      </Tabs>
      <Outlet />
    </div>
  );
}

/** How the command line calls it. */
export function useServicePath(service: Service | undefined): string {
  const id = service?.environment.id ?? "";
  const environment = useQuery({ ...environmentQuery(id), enabled: id !== "" }).data;
  const project = useQuery({ ...projectQuery(environment?.project.id ?? ""), enabled: Boolean(environment) }).data;
  return service ? pathOf(service, environment, project?.name) : "";
}

function Head({ service }: { service: Service }) {
  const { environmentId } = useServicePlace();
  const statuses = useQuery({ ...statusesQuery(environmentId), refetchInterval: usePolling() }).data;
  const status = statusList(statuses).find(({ id }) => id === service.id);
  const { running, deployed, reason, isOutOfDate } = summariseService(service, status, useStates(environmentId));
  const [deploy, ...more] = useServiceActions(service);
  const at = useServicePath(service);
  return (
    <header className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <h1 className="min-w-0 truncate text-xl font-semibold">{service.name}</h1>
        <div className="ml-auto flex flex-wrap items-center gap-1.5">
          <CliMenu commands={serviceCommands(at)} />
          <OpenService service={service} />
          {deploy && (
            <Button look="primary" icon="rocket" onClick={() => void deploy.act()}>
              Deploy
            </Button>
          )}
          {more.length > 0 && <Menu trigger={<IconButton icon="more" label="More actions" />}>
            {more.map(({ name, icon, act }) => (
              <MenuItem key={name} icon={icon} onSelect={() => void act()}>
                {name}
              </MenuItem>
            ))}
          </Menu>}
        </div>
      </div>
      <dl className="flex flex-wrap gap-x-8 gap-y-1">
        <div className="flex items-center gap-2">
          <dt className="text-xs text-muted">Running now</dt>
          <dd className="flex">{running ? <Running word={running} /> : <span className="text-sm text-muted">Not running yet</span>}</dd>
        </div>
        <div className="flex items-center gap-2">
          <dt className="text-xs text-muted">Last deployment</dt>
          <dd className="flex items-center gap-2">
            <Deployed word={deployed} />
            {isOutOfDate && <OutOfDate />}
          </dd>
        </div>
        {reason && <p className="w-full text-sm break-words text-muted">{reason}</p>}
      </dl>
    </header>
  );
}
