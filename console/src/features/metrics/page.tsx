/** CPU and memory of a service over time. uPlot is loaded with this page. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { serviceDeploymentsQuery } from "@/api/deployments";

import { Chart, type Marker } from "@/features/metrics/chart";
import { useSamples } from "@/features/metrics/store";
import { useServicePlace } from "@/features/service/page";
import type { Deployment } from "@/api/types";
import { deploymentWord } from "@/pure/states";
import { bytes, cpu } from "@/pure/format";
import { columns } from "@/pure/metrics";
import { endings } from "@/pure/names";
import { cx } from "@/ui/cx";
import { Empty, Loading } from "@/ui/notes";

/** A young service is not shown as a line at the right edge. */
const LEAST_SECONDS = 300;
const RANGES: [number, string][] = [
  [1, "1 h"],
  [6, "6 h"],
  [24, "24 h"],
  [48, "48 h"],
];

export function ServiceMetrics() {
  const { serviceId, environmentId } = useServicePlace();
  const deployments = useQuery(serviceDeploymentsQuery(serviceId)).data;
  const [hours, setHours] = useState(1);
  const { samples, loading, problem } = useSamples(serviceId, hours);
  const to = Math.max(Date.now(), ...samples.slice(-3).map(({ at }) => new Date(at).getTime())) / 1000;
  const first = Math.min(...samples.map(({ at }) => new Date(at).getTime())) / 1000;
  const from = Math.max(to - hours * 3600, Math.min(first, to - LEAST_SECONDS));
  const names = endings(samples.flatMap(({ processes }) => processes.map(({ name }) => name)));
  const { times, series } = useMemo(() => columns(samples, to - hours * 3600), [samples, hours]); // eslint-disable-line react-hooks/exhaustive-deps -- `to` moves with every sample
  const since = to - hours * 3600;
  const shown = (deployments ?? []).filter(({ ended_at, started_at }) => started_at && momentOf(ended_at ?? started_at) >= since);
  const markers = useMemo(() => markersOf(deployments ?? []), [deployments]);
  const last = samples.reduce<(typeof samples)[number] | undefined>((best, each) => (!best || each.at > best.at ? each : best), undefined);
  if (loading && samples.length === 0) return <Loading lines={6} className="panel p-5" />;
  if (samples.length === 0) {
    return (
      <Empty icon="chart" title={problem ? "Metrics could not be loaded" : "Nothing measured yet"}>
        {problem || "Ten seconds after the service starts, its CPU and memory appear here."}
      </Empty>
    );
  }
  return (
    <div className="flex flex-col gap-4">
      <div role="group" aria-label="Range" className="flex self-start rounded-md border border-line-strong bg-surface p-0.5">
        {RANGES.map(([value, label]) => (
          <button
            key={value}
            type="button"
            aria-pressed={hours === value}
            onClick={() => setHours(value)}
            className={cx("h-7 rounded px-2.5 text-sm", hours === value ? "bg-accent-soft font-medium text-accent" : "text-muted hover:text-text")}
          >
            {label}
          </button>
        ))}
      </div>
      <Chart title="CPU" times={times} series={series.map(({ name, cpu: values }) => ({ name: names.get(name) ?? name, values }))} limit={last?.cpu_limit_milli || undefined} from={from} to={to} markers={markers} format={cpu} least={10} />
      <Chart title="Memory" times={times} series={series.map(({ name, memory: values }) => ({ name: names.get(name) ?? name, values }))} limit={last?.memory_limit_bytes || undefined} from={from} to={to} markers={markers} format={bytes} binary least={2 ** 20} />
      {shown.length > 0 && (
        <p className="flex flex-wrap items-baseline gap-x-3 gap-y-1 text-sm">
          <span className="text-muted">Deployments in this time, dashed in the charts:</span>
          {shown.slice(0, 12).map((each) => (
            <Link key={each.id} to="/environment/$environmentId/deployment/$deploymentId" params={{ environmentId, deploymentId: each.id }} className="num text-accent hover:underline">
              #{each.number} {deploymentWord(each.status).label}
            </Link>
          ))}
        </p>
      )}
    </div>
  );
}

const momentOf = (at: string): number => new Date(at).getTime() / 1000;

function markersOf(deployments: Deployment[]): Marker[] {
  const ended = deployments.filter(({ ended_at }) => ended_at).map(({ ended_at, number, status }) => ({ at: momentOf(ended_at ?? ""), label: `#${number}`, isBad: deploymentWord(status).tone === "bad" }));
  return ended.sort((one, other) => one.at - other.at);
}
