/** What an event of the control plane changes in the query cache. Events older than what is known change nothing. */

import type { QueryClient } from "@tanstack/react-query";

import type { Deployment, Event } from "@/api/types";
import { serviceIds } from "@/pure/steps";

const versions = new Map<string, number>();
const due = new Map<string, ReturnType<typeof setTimeout>>();
const GATHER_MS = 250;

export function applyEvent(client: QueryClient, data: unknown): void {
  const event = data as Event;
  const known = versions.get(event.entity_id) ?? -1;
  if (event.version < known) return;
  versions.set(event.entity_id, event.version);
  if (event.entity === "deployment") applyDeployment(client, event);
  else applyOther(client, event);
}

/** Ask again for all that is known of an environment: something was missed. */
export function refreshEnvironment(client: QueryClient, id: string): void {
  soon(client, ["environment", id]);
}

function applyDeployment(client: QueryClient, event: Event): void {
  const deployment = event.body as Deployment | undefined;
  if (deployment?.id) {
    client.setQueryData<Deployment>(["deployment", deployment.id], deployment);
    client.setQueryData<Deployment[]>(["environment", deployment.environment_id, "deployments"], (list) => list && placed(list, deployment));
  }
  if (deployment) for (const id of serviceIds(deployment)) placeInService(client, id, deployment);
  const id = event.environment_id || deployment?.environment_id;
  if (!id) return;
  soon(client, ["environment", id, "statuses"]);
  if (event.project_id) soon(client, ["project", event.project_id, "statuses"]);
  if (event.verb !== "ended") return;
  soon(client, ["environment", id, "commits"]);
  for (const service of deployment ? serviceIds(deployment) : []) soon(client, ["service", service, "releases"]);
}

function placeInService(client: QueryClient, id: string, deployment: Deployment): void {
  client.setQueryData<Deployment[]>(["service", id, "deployments"], (list) => list && placed(list, deployment));
}

function applyOther(client: QueryClient, event: Event): void {
  if (event.entity === "service") {
    if (event.verb !== "deleted") soon(client, ["service", event.entity_id]);
    if (event.environment_id) refreshEnvironment(client, event.environment_id);
    soon(client, ["organization", event.organization_id, "services"]);
  } else if (event.entity === "variable") {
    soon(client, ["variables"]);
    if (event.environment_id) soon(client, ["environment", event.environment_id, "statuses"]);
  } else if (event.entity === "environment") {
    refreshEnvironment(client, event.entity_id);
    soon(client, ["organization", event.organization_id, "environments"]);
  } else if (["member", "role", "invitation"].includes(event.entity)) {
    for (const part of ["members", "custom-roles", "invitations", "roles"]) soon(client, ["organization", event.organization_id, part]);
  } else if (event.entity === "project") {
    soon(client, ["project", event.entity_id]);
    soon(client, ["organization", event.organization_id, "projects"]);
  }
}

/** The list with the deployment in its place: newest first. */
export function placed(list: Deployment[], deployment: Deployment): Deployment[] {
  const others = list.filter((each) => each.id !== deployment.id);
  const at = others.findIndex((each) => each.number < deployment.number);
  return at === -1 ? [...others, deployment] : [...others.slice(0, at), deployment, ...others.slice(at)];
}

/** Many events in a moment make one request. */
function soon(client: QueryClient, queryKey: string[]): void {
  const name = queryKey.join("/");
  if (due.has(name)) return;
  due.set(
    name,
    setTimeout(() => {
      due.delete(name);
      void client.invalidateQueries({ queryKey });
    }, GATHER_MS),
  );
}
