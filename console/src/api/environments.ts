/** Environments: what they are, what their last deployment did, what stands in them. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, path, post, put, remove } from "@/api/client";
import type { Environment, EnvironmentStatus, EnvironmentStatuses, Link, Mode, Service, Stage } from "@/api/types";

/** All environments of an organization, in short: without their cluster. */
export const environmentsQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "environments"],
    queryFn: ({ signal }) => list<Environment>(path`/organization/${organizationId}/environments`, { signal }),
    staleTime: 5_000,
  });

/** What the last deployment did in each environment of a project. */
export const projectStatusesQuery = (projectId: string) =>
  queryOptions({
    queryKey: ["project", projectId, "statuses"],
    queryFn: ({ signal }) => list<EnvironmentStatus>(path`/project/${projectId}/environment/status`, { signal }),
    staleTime: 15_000,
  });

export const linksQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "links"],
    queryFn: ({ signal }) => list<Link>(path`/environment/${environmentId}/link`, { signal }),
    staleTime: 60_000,
    retry: false,
  });

export const environmentQuery = (id: string) =>
  queryOptions({
    queryKey: ["environment", id],
    queryFn: ({ signal }) => get<Environment>(path`/environment/${id}`, { signal }),
    staleTime: 60_000,
  });

export const servicesQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "services"],
    queryFn: ({ signal }) => list<Service>(path`/environment/${environmentId}/services`, { signal }),
    staleTime: 15_000,
  });

export const statusesQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "statuses"],
    queryFn: ({ signal }) => get<EnvironmentStatuses>(path`/environment/${environmentId}/statuses`, { signal }),
    staleTime: 15_000,
  });

export const stagesQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "stages"],
    queryFn: ({ signal }) => list<Stage>(path`/environment/${environmentId}/deploymentStage`, { signal }),
    staleTime: 60_000,
  });

export const createEnvironment = (projectId: string, name: string, mode: Mode, cluster: string): Promise<Environment> =>
  post(path`/project/${projectId}/environment`, { name, mode, cluster });

export const editEnvironment = (id: string, name: string, mode: Mode): Promise<Environment> =>
  put(path`/environment/${id}`, { name, mode });

export const deleteEnvironment = (id: string): Promise<void> => remove(path`/environment/${id}`);
export const deployEnvironment = (id: string): Promise<unknown> => post(path`/environment/${id}/deploy`);
export const stopEnvironment = (id: string): Promise<unknown> => post(path`/environment/${id}/stop`);
export const redeployEnvironment = (id: string): Promise<unknown> => post(path`/environment/${id}/redeploy`);
