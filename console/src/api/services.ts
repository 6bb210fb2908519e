/** Services of all kinds. The API has a path per kind; here the kind is looked up, so that callers needn't care. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, path, post, put, remove } from "@/api/client";
import type { Service } from "@/api/types";

const PATHS: Record<string, string> = {
  APPLICATION: "application",
  CONTAINER: "container",
  DATABASE: "database",
  JOB: "job",
  HELM: "helm",
  TERRAFORM: "terraform",
};

const below = (type: string, id: string): string => `/${PATHS[type] ?? "application"}/${encodeURIComponent(id)}`;

export const serviceQuery = (id: string, type = "APPLICATION") =>
  queryOptions({
    queryKey: ["service", id],
    queryFn: ({ signal }) => get<Service>(below(type, id), { signal }),
    staleTime: 15_000,
  });

export interface ServiceInShort {
  id: string;
  name: string;
  service_type: string;
  project_name: string;
  environment_id: string;
  environment_name: string;
}

/** Every service of an organization, with its place: what a search needs. */
export const servicesInShortQuery = (organizationId: string) =>
  queryOptions({
    queryKey: ["organization", organizationId, "services"],
    queryFn: ({ signal }) => list<ServiceInShort>(path`/organization/${organizationId}/services`, { signal }),
    staleTime: 15_000,
  });

export interface NewApplication {
  name: string;
  description: string;
  url: string;
  branch: string;
  rootPath: string;
  provider: string;
  port: number | null;
  autoDeploy: boolean;
}

export function createApplication(environmentId: string, wanted: NewApplication): Promise<Service> {
  const port = {
    internal_port: wanted.port,
    external_port: 443,
    publicly_accessible: true,
    protocol: "HTTP",
    is_default: true,
    name: `p${wanted.port}`,
  };
  return post(path`/environment/${environmentId}/application`, {
    name: wanted.name,
    description: wanted.description,
    git_repository: { url: wanted.url, branch: wanted.branch, root_path: wanted.rootPath, provider: wanted.provider },
    auto_deploy: wanted.autoDeploy,
    ports: wanted.port === null ? [] : [port],
    healthchecks: {},
  });
}

export const editService = (service: Service, changes: Partial<Service>): Promise<Service> =>
  put(below(service.service_type, service.id), { ...service, ...changes });

export const deleteService = (service: Service): Promise<void> => remove(below(service.service_type, service.id));

export const deployService = (service: Service, commit?: string): Promise<unknown> =>
  post(`${below(service.service_type, service.id)}/deploy`, { git_commit_id: commit ?? "" });

export const stopService = (service: Service): Promise<unknown> => post(`${below(service.service_type, service.id)}/stop`);
export const redeployService = (service: Service): Promise<unknown> => post(`${below(service.service_type, service.id)}/redeploy`);
export const restartService = (service: Service): Promise<unknown> =>
  post(`${below(service.service_type, service.id)}/restart-service`);

export interface GitLink {
  url: string;
  provider: string;
  repository: string;
  secret_was_shown: boolean;
}

/** Where a Git provider has to send its pushes. */
export const gitLinkQuery = (serviceId: string) =>
  queryOptions({
    queryKey: ["service", serviceId, "git-link"],
    queryFn: ({ signal }) => get<GitLink>(path`/service/${serviceId}/gitLink`, { signal }),
    staleTime: 60_000,
  });

export interface GitLinkSecret {
  url: string;
  secret: string;
}

/** The secret, which is shown once; a new one when it was shown before. */
export const showGitSecret = (serviceId: string): Promise<GitLinkSecret> => post(path`/service/${serviceId}/gitLink/secret`);
export const rotateGitSecret = (serviceId: string): Promise<GitLinkSecret> => post(path`/service/${serviceId}/gitLink/rotate`);
