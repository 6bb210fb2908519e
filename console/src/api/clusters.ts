/** Clusters: whether their engine is there, and what stands on them. */

import { queryOptions } from "@tanstack/react-query";

import { list, path, post } from "@/api/client";

export interface ClusterStatus {
  cluster_id: string;
  status: string;
  is_deployed: boolean;
  /** When its engine was heard last. */
  last_deployment_date?: string | null;
}

export interface Placed {
  environment_id: string;
  environment_name: string;
  project_name: string;
  services: { id: string; name: string }[];
}

export const clusterStatusesQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "cluster-statuses"],
    queryFn: ({ signal }) => list<ClusterStatus>(path`/organization/${organizationId}/cluster/status`, { signal }),
    staleTime: 5_000,
    refetchInterval: 15_000,
  });

export const placedQuery = (clusterId: string) =>
  queryOptions({
    queryKey: ["cluster", clusterId, "environments"],
    queryFn: ({ signal }) => list<Placed>(path`/cluster/${clusterId}/environments`, { signal }),
    staleTime: 30_000,
  });

/** Refused, with what is missing, when engine or agent is away. */
export const checkCluster = (organizationId: string, id: string): Promise<ClusterStatus> => post(path`/organization/${organizationId}/cluster/${id}/deploy`, {});
