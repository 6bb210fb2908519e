/** Organizations, projects, clusters, tokens. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, path, post, put, remove } from "@/api/client";
import type { ApiToken, Cluster, Organization, Project } from "@/api/types";

export const organizationQuery = (id: string) =>
  queryOptions({
    queryKey: ["organization", id],
    queryFn: ({ signal }) => get<Organization>(path`/organization/${id}`, { signal }),
    staleTime: 60_000,
  });

export const projectsQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "projects"],
    queryFn: ({ signal }) => list<Project>(path`/organization/${organizationId}/project`, { signal }),
  });

export const clustersQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "clusters"],
    queryFn: ({ signal }) => list<Cluster>(path`/organization/${organizationId}/cluster`, { signal }),
    staleTime: 60_000,
  });

export const projectQuery = (id: string) =>
  queryOptions({
    queryKey: ["project", id],
    queryFn: ({ signal }) => get<Project>(path`/project/${id}`, { signal }),
    staleTime: 60_000,
  });

export const createProject = (organizationId: string, name: string, description: string): Promise<Project> =>
  post(path`/organization/${organizationId}/project`, { name, description });

export const editProject = (id: string, name: string, description: string): Promise<Project> =>
  put(path`/project/${id}`, { name, description });

export const deleteProject = (id: string): Promise<void> => remove(path`/project/${id}`);

export const tokensQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "tokens"],
    queryFn: ({ signal }) => list<ApiToken>(path`/organization/${organizationId}/apiToken`, { signal }),
  });

export const createToken = (organizationId: string, name: string, roleId: string): Promise<ApiToken> =>
  post(path`/organization/${organizationId}/apiToken`, { name, description: "", role_id: roleId });

export const deleteToken = (organizationId: string, id: string): Promise<void> =>
  remove(path`/organization/${organizationId}/apiToken/${id}`);

export interface Role {
  id: string;
  name: string;
}

export const rolesQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "roles"],
    queryFn: ({ signal }) => list<Role>(path`/organization/${organizationId}/availableRole`, { signal }),
    staleTime: 5 * 60_000,
  });
