/** The services of an environment as a picture: each with what runs now, and lines to the ones that it uses. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import { linksQuery, servicesQuery, statusesQuery } from "@/api/environments";
import type { VariableScope } from "@/api/types";
import { variablesQuery } from "@/api/variables";
import { useEnvironmentId } from "@/features/environment/page";
import { statusList, summariseService } from "@/features/organization/summary";
import { hostOf, isWeb } from "@/features/service/link";
import { Source } from "@/features/service/source";
import { useStates } from "@/live/hooks";
import { connections, layout, type Place } from "@/pure/canvas";
import { cx } from "@/ui/cx";
import { Empty, Loading } from "@/ui/notes";
import { Deployed, Running } from "@/ui/status";

const WIDTH = 232;
const HEIGHT = 92;
const GAP_X = 96;
const GAP_Y = 28;
/** Each service's variables are one request. */
const MOST = 40;

const left = ({ column }: Place): number => column * (WIDTH + GAP_X);
const top = ({ row }: Place): number => row * (HEIGHT + GAP_Y);

export function EnvironmentCanvas() {
  const environmentId = useEnvironmentId();
  const services = useQuery(servicesQuery(environmentId)).data;
  const statuses = new Map(statusList(useQuery(statusesQuery(environmentId)).data).map((status) => [status.id, status]));
  const states = useStates(environmentId);
  const edges = useConnections(environmentId);
  const places = useMemo(() => layout((services ?? []).map(({ id }) => id), edges), [services, edges]);
  if (!services) return <Loading lines={5} className="panel p-5" />;
  if (services.length === 0) return <Empty icon="box" title="No service yet" />;
  const width = Math.max(...[...places.values()].map(left)) + WIDTH;
  const height = Math.max(...[...places.values()].map(top)) + HEIGHT;
  const nameOf = (id: string): string => services.find((each) => each.id === id)?.name ?? "";
  return (
    <div className="flex flex-col gap-3">
      <section aria-label="Canvas" tabIndex={0} className="panel overflow-auto bg-sunken p-6">
        <div className="relative" style={{ width, height }}>
          <svg width={width} height={height} aria-hidden className="absolute inset-0 text-accent">
            <defs>
              <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">
                <path d="M0 0 8 4 0 8z" fill="currentColor" />
              </marker>
            </defs>
            {edges.map(({ from, to }) => (
              <path key={from + to} d={curve(places.get(from), places.get(to))} fill="none" stroke="currentColor" strokeWidth="1.5" markerEnd="url(#arrow)" />
            ))}
          </svg>
          {services.map((service) => {
            const { running, deployed } = summariseService(service, statuses.get(service.id), states);
            const place = places.get(service.id) ?? { column: 0, row: 0 };
            return (
              <Link
                key={service.id}
                to="/environment/$environmentId/service/$serviceId"
                params={{ environmentId, serviceId: service.id }}
                style={{ left: left(place), top: top(place), width: WIDTH, height: HEIGHT }}
                className={cx("absolute flex flex-col gap-1 overflow-hidden rounded-lg border bg-surface px-3 py-2 shadow-sm hover:bg-hover", deployed.tone === "bad" ? "border-bad/50" : "border-line-strong")}
              >
                <span className="truncate font-medium">{service.name}</span>
                <span className="min-w-0 truncate">
                  <Source service={service} />
                </span>
                <span className="mt-auto flex gap-3">{running ? <Running word={running} /> : <Deployed word={deployed} />}</span>
              </Link>
            );
          })}
        </div>
      </section>
      {edges.length === 0 ? (
        <p className="text-sm text-muted">No connections to draw: no variable names another service's host, or one of its built-in variables.</p>
      ) : (
        <ul className="flex flex-col gap-0.5 text-sm" aria-label="Connections">
          {edges.map(({ from, to, by }) => (
            <li key={from + to}>
              <span className="font-medium">{nameOf(from)}</span> <span className="text-muted">uses</span> <span className="font-medium">{nameOf(to)}</span> <span className="text-muted">by</span> <code className="font-mono text-xs break-all">{by.join(", ")}</code>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function useConnections(environmentId: string) {
  const services = useQuery(servicesQuery(environmentId)).data ?? [];
  const links = useQuery(linksQuery(environmentId)).data;
  const asked = services.filter(({ service_type }) => service_type !== "DATABASE").slice(0, MOST);
  const variables = useQueries({ queries: asked.map(({ id, service_type }) => variablesQuery(service_type as VariableScope, id)) }).map(({ data }) => data);
  const key = JSON.stringify([services.map(({ id }) => id), links, variables]);
  // eslint-disable-next-line react-hooks/exhaustive-deps -- the key says all that it depends on
  return useMemo(
    () =>
      connections(
        services.map(({ id }) => ({
          id,
          hosts: (links ?? []).filter((link) => link.service_id === id && isWeb(link.url)).map(({ url }) => (hostOf(url).split(/[:/]/, 1)[0] ?? "")).filter(Boolean),
          variables: variables[asked.findIndex((each) => each.id === id)] ?? [],
        })),
      ),
    [key],
  );
}

function curve(from: Place | undefined, to: Place | undefined): string {
  if (!from || !to) return "";
  const [y1, y2] = [top(from) + HEIGHT / 2, top(to) + HEIGHT / 2];
  const isForward = to.column > from.column;
  const x1 = left(from) + WIDTH;
  const x2 = isForward ? left(to) : left(to) + WIDTH;
  const bend = isForward ? (x2 - x1) / 2 : GAP_X / 2;
  return `M${x1} ${y1} C${x1 + bend} ${y1} ${isForward ? x2 - bend : x2 + bend} ${y2} ${x2} ${y2}`;
}
