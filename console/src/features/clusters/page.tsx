/** Where services run: whether each cluster's engine and agent are there, and what stands on it. */

import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";

import { newestEventsQuery } from "@/api/audit";
import { checkCluster, type ClusterStatus, clusterStatusesQuery, placedQuery } from "@/api/clusters";
import { clustersQuery } from "@/api/organizations";
import type { Cluster } from "@/api/types";
import { useRights } from "@/features/rights";
import { greetings } from "@/pure/clusters";
import { count } from "@/pure/format";
import type { Word } from "@/pure/states";
import { Button } from "@/ui/button";
import { Icon } from "@/ui/icons";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Badge, Running } from "@/ui/status";
import { Ago } from "@/ui/time";

const PAGE = "/signed-in/organization/$organizationId/clusters";

export function ClustersPage() {
  const { organizationId } = useParams({ from: PAGE });
  const clusters = useQuery({ ...clustersQuery(organizationId), staleTime: 5_000, refetchInterval: 15_000 });
  const statuses = useQuery(clusterStatusesQuery(organizationId)).data ?? [];
  return (
    <div className="mx-auto flex w-full max-w-4xl flex-col gap-4">
      <header>
        <h1 className="text-xl font-semibold">Clusters</h1>
        <p className="text-sm text-muted">Where services run. On each, an engine deploys and an agent tells of logs, states and metrics; services go on when either is away.</p>
      </header>
      {clusters.error && <ProblemNote error={clusters.error} retry={() => void clusters.refetch()} />}
      {clusters.isPending && <Loading lines={5} className="panel p-5" />}
      {clusters.data?.length === 0 && <Empty icon="layers" title="No cluster that you may see" />}
      {clusters.data?.map((cluster) => (
        <ClusterPanel key={cluster.id} cluster={cluster} status={statuses.find(({ cluster_id }) => cluster_id === cluster.id)} />
      ))}
    </div>
  );
}

function healthOf(cluster: Cluster, status: ClusterStatus | undefined): Word {
  if (status?.is_deployed ?? cluster.has_access) return { label: "Connected", tone: "good", moving: false };
  return status?.last_deployment_date ? { label: "Engine away", tone: "bad", moving: false } : { label: "Never connected", tone: "idle", moving: false };
}

function ClusterPanel({ cluster, status }: { cluster: Cluster; status: ClusterStatus | undefined }) {
  const { organizationId } = useParams({ from: PAGE });
  const said = greetings(useQuery(newestEventsQuery(organizationId, { targetType: "CLUSTER", targetId: cluster.id, origin: "QOVERY_INTERNAL" })).data ?? []);
  const isAdmin = useRights().may("admin");
  const check = useMutation({ mutationFn: () => checkCluster(organizationId, cluster.id) });
  return (
    <section className="panel" aria-labelledby={cluster.id}>
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-2.5">
        <h2 id={cluster.id} className="font-semibold">
          {cluster.name}
        </h2>
        <Running word={healthOf(cluster, status)} />
        {cluster.is_demo && <Badge>This machine</Badge>}
        {isAdmin && (
          <Button small className="ml-auto" busy={check.isPending} onClick={() => check.mutate()}>
            Check the connections
          </Button>
        )}
        {cluster.description && <p className="w-full text-sm text-muted">{cluster.description}</p>}
      </header>
      {check.error && <ProblemNote error={check.error} className="m-3" />}
      {check.isSuccess && (
        <p role="status" className="mx-4 mt-3 flex items-center gap-2 text-sm text-good">
          <Icon name="check" /> Engine and agent are both there.
        </p>
      )}
      <div className="overflow-x-auto px-4 py-3">
        <table className="w-full text-left text-sm">
          <thead className="text-xs text-muted">
            <tr>
              <th scope="col" className="pr-4 pb-1 font-medium">Program</th>
              <th scope="col" className="pr-4 pb-1 font-medium">Version</th>
              <th scope="col" className="pr-4 pb-1 font-medium">Seen</th>
              <th scope="col" className="pb-1 font-medium">Can</th>
            </tr>
          </thead>
          <tbody>
            <tr className="align-top">
              <th scope="row" className="py-1 pr-4 font-medium">Engine</th>
              <td className="py-1 pr-4">{cluster.version || said.engine?.version || "–"}</td>
              <td className="py-1 pr-4">{status?.last_deployment_date ? <Ago at={status.last_deployment_date} /> : "never"}</td>
              <td className="py-1 text-muted">{said.engine?.capabilities.join(", ") || "–"}</td>
            </tr>
            <tr className="align-top">
              <th scope="row" className="py-1 pr-4 font-medium">Agent</th>
              <td className="py-1 pr-4">{said.agent?.version ?? "–"}</td>
              <td className="py-1 pr-4">{said.agent ? <>connected <Ago at={said.agent.at} /></> : "not on record"}</td>
              <td className="py-1 text-muted">{said.agent?.capabilities.join(", ") || "–"}</td>
            </tr>
          </tbody>
        </table>
      </div>
      <OnIt cluster={cluster} />
    </section>
  );
}

function OnIt({ cluster }: { cluster: Cluster }) {
  const placed = useQuery(placedQuery(cluster.id)).data;
  if (!placed) return null;
  if (placed.length === 0) return <p className="border-t border-line px-4 py-3 text-sm text-muted">Nothing stands on it.</p>;
  return (
    <ul className="border-t border-line" aria-label={`What stands on ${cluster.name}`}>
      {placed.map((each) => (
        <li key={each.environment_id} className="flex items-center gap-2 border-b border-line px-4 py-1.5 text-sm last:border-0">
          <Icon name="layers" size={14} className="text-muted" />
          <Link to="/environment/$environmentId" params={{ environmentId: each.environment_id }} className="min-w-0 truncate hover:underline">
            <span className="text-muted">{each.project_name} /</span> {each.environment_name}
          </Link>
          <span className="ml-auto text-xs whitespace-nowrap text-muted">{count(each.services.length, "service")}</span>
        </li>
      ))}
    </ul>
  );
}
