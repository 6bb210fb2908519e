/** An environment at a glance: what runs now, what the last deployment did, and each service with its commit. */

import { Link } from "@tanstack/react-router";

import { ServiceLinkButton } from "@/features/service/link";
import { Source } from "@/features/service/source";
import type { Entry } from "@/features/organization/page";
import { word } from "@/features/organization/words";
import { useNear } from "@/features/organization/near";
import { useRights } from "@/features/rights";
import { cx } from "@/ui/cx";
import { Deployed, Dot, Mark, Mode, Running } from "@/ui/status";
import { Loading } from "@/ui/notes";
import { Ago } from "@/ui/time";

const SHOWN = 6;

export function EnvironmentCard({ entry: { environment, isLoaded, summary }, near }: { entry: Entry; near: (id: string) => void }) {
  const card = useNear(() => near(environment.id));
  const { services } = summary;
  const mayAdd = useRights().may("manage", environment.project.id, environment.mode);
  return (
    <article ref={card} className={cx("panel flex flex-col", summary.urgency === 0 && "border-bad/50")}>
      <header className="flex items-center gap-2 px-3.5 pt-3">
        <h3 className="min-w-0 truncate font-semibold">
          <Link to="/environment/$environmentId" params={{ environmentId: environment.id }} className="rounded-sm hover:underline">
            {environment.name}
          </Link>
        </h3>
        <Mode mode={environment.mode} />
        {environment.cluster_name && <span className="ml-auto truncate text-xs text-muted">{environment.cluster_name}</span>}
      </header>
      <dl className="grid grid-cols-2 gap-x-3 px-3.5 pb-3 pt-2">
        <div>
          <dt className="text-2xs text-muted">Running now</dt>
          <dd>
            {summary.running ? (
              <Running word={word(summary.running, services.length, summary.upCount)} />
            ) : (
              <span className="text-sm text-muted">{isLoaded && services.length === 0 ? "No services" : summary.deployed.label === "Never deployed" ? "Nothing yet" : "Not told yet"}</span>
            )}
          </dd>
        </div>
        <div>
          <dt className="text-2xs text-muted">Last deployment</dt>
          <dd className="flex flex-wrap items-center gap-x-1.5">
            <Deployed word={summary.deployed} />
            {summary.deployedAt && (
              <span className="text-xs text-muted">
                <Ago at={summary.deployedAt} />
              </span>
            )}
          </dd>
        </div>
      </dl>
      {services.length > 0 ? (
        <ul className="flex-1 border-t border-line">
          {services.slice(0, SHOWN).map(({ service, running, deployed }) => (
            <li key={service.id} className="flex items-center gap-2 border-b border-line px-3.5 py-1.5 last:border-0">
              <span className="flex w-4 justify-center" title={running?.label ?? "Not running yet"}>
                {deployed.moving || deployed.tone === "bad" ? <Mark word={deployed} size={13} /> : <Dot word={running ?? deployed} size={9} />}
              </span>
              <div className="min-w-0 flex-1">
                <div className="flex items-baseline gap-2">
                  <Link
                    to="/environment/$environmentId/service/$serviceId"
                    params={{ environmentId: environment.id, serviceId: service.id }}
                    className="truncate text-sm font-medium hover:underline"
                  >
                    {service.name}
                  </Link>
                  {deployed.tone === "bad" && <span className="text-xs whitespace-nowrap text-bad">{deployed.label}</span>}
                  {running && running.tone !== "good" && <span className="text-xs whitespace-nowrap text-muted">{running.label}</span>}
                </div>
                <Source service={service} />
              </div>
              <ServiceLinkButton service={service} />
            </li>
          ))}
          {services.length > SHOWN && (
            <li className="px-3.5 py-1.5 text-xs text-muted">
              <Link to="/environment/$environmentId" params={{ environmentId: environment.id }} className="hover:underline">
                and {services.length - SHOWN} more
              </Link>
            </li>
          )}
        </ul>
      ) : !isLoaded ? (
        <Loading lines={2} className="min-h-24 border-t border-line px-3.5 py-3" />
      ) : (
        <p className="flex-1 border-t border-line px-3.5 py-3 text-sm text-muted">
          Nothing here yet.{" "}
          {mayAdd && (
            <Link to="/environment/$environmentId/new" params={{ environmentId: environment.id }} className="font-medium text-accent hover:underline">
              Add a service
            </Link>
          )}
        </p>
      )}
    </article>
  );
}
