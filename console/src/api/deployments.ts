/** Deployments with their steps, and their history. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, path, post } from "@/api/client";
import type { Commit, Deployment } from "@/api/types";

export const deploymentsQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "deployments"],
    queryFn: ({ signal }) => list<Deployment>(path`/environment/${environmentId}/deployments`, { signal }),
    staleTime: 15_000,
  });

export const deploymentQuery = (id: string) =>
  queryOptions({
    queryKey: ["deployment", id],
    queryFn: ({ signal }) => get<Deployment>(path`/deployment/${id}`, { signal }),
    staleTime: 15_000,
  });

export const serviceDeploymentsQuery = (serviceId: string) =>
  queryOptions({
    queryKey: ["service", serviceId, "deployments"],
    queryFn: ({ signal }) => list<Deployment>(path`/service/${serviceId}/deployments`, { signal }),
    staleTime: 15_000,
  });

export const cancelDeployment = (id: string, force: boolean): Promise<Deployment> =>
  post(path`/deployment/${id}/cancel`, { force_cancel: force });

/** Put back what ran after an earlier deployment: in the whole environment, or of one service. */
export const rollBackEnvironment = (environmentId: string, deploymentId: string): Promise<Deployment> =>
  post(path`/environment/${environmentId}/rollback`, { deployment_id: deploymentId });

export const rollBackService = (serviceId: string, deploymentId: string): Promise<Deployment> =>
  post(path`/service/${serviceId}/rollback`, { deployment_id: deploymentId });

export interface Plan {
  steps: { kind: string; stage: string; service_id: string; service_name: string; commit: string; changes: { what: string; name?: string; before?: unknown; after?: unknown }[] }[];
  unchanged: { service_id: string; service_name: string; reason: string }[];
  problems: { service_id: string; service_name: string; reason: string }[];
}

/** What a deployment would do now. */
export const planQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "plan"],
    queryFn: ({ signal }) => post<Plan>(path`/environment/${environmentId}/plan`, {}, { signal }),
    staleTime: 0,
    gcTime: 0,
  });

interface HistoryEntry {
  stages?: { services?: { identifier: { service_id: string }; status: string; details?: { commit?: Commit | null } }[] }[];
}

export interface Commits {
  /** Commit id → commit, of the last deployments. */
  known: Record<string, Commit>;
  /** Service id → the commit that was deployed last. */
  deployed: Record<string, string>;
}

/** The commits of an environment's last deployments, with their messages. */
export const commitsQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "commits"],
    queryFn: async ({ signal }) => commitsOf(await list<HistoryEntry>(path`/environment/${environmentId}/deploymentHistoryV2`, { signal })),
    staleTime: 30_000,
    retry: false,
  });

export function commitsOf(history: HistoryEntry[]): Commits {
  const commits: Commits = { known: {}, deployed: {} };
  for (const { stages = [] } of history) {
    for (const { identifier, status, details } of stages.flatMap(({ services = [] }) => services)) {
      const commit = details?.commit;
      if (!commit?.git_commit_id) continue;
      commits.known[commit.git_commit_id] ??= commit;
      if (status === "DEPLOYED") commits.deployed[identifier.service_id] ??= commit.git_commit_id;
    }
  }
  return commits;
}

export interface Release {
  id: string;
  deployment_id: string;
  commit: string;
  /** It is the one that runs. */
  in_place: boolean;
  created_at: string;
}

/** The releases of a service that are kept, newest first. */
export const releasesQuery = (serviceId: string) =>
  queryOptions({
    queryKey: ["service", serviceId, "releases"],
    queryFn: ({ signal }) => list<Release>(path`/service/${serviceId}/releases`, { signal }),
    staleTime: 15_000,
  });
