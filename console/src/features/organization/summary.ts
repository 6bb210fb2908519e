/** What one environment comes to, from its parts: the words of both statuses, and how much it needs a person. */

import type { EnvironmentStatuses, Service, ServiceStatus } from "@/api/types";
import type { States } from "@/live/hooks";
import { aggregate, deploymentWord, runningWord, urgency, type Word } from "@/pure/states";

export interface ServiceSummary {
  service: Service;
  running: Word | undefined;
  deployed: Word;
  reason: string;
  /** Something changed since it was deployed. */
  isOutOfDate: boolean;
}

export interface Summary {
  running: Word | undefined;
  deployed: Word;
  deployedAt: string | undefined;
  services: ServiceSummary[];
  upCount: number;
  urgency: number;
}

export const statusList = (statuses: EnvironmentStatuses | undefined): ServiceStatus[] =>
  statuses
    ? [statuses.applications, statuses.containers, statuses.jobs, statuses.databases, statuses.helms, statuses.terraforms].flatMap((list) => list ?? [])
    : [];

export function summarise(services: Service[], statuses: EnvironmentStatuses | undefined, states: States): Summary {
  const known = new Map(statusList(statuses).map((status) => [status.id, status]));
  const rows = services.map((service) => summariseService(service, known.get(service.id), states));
  rows.sort((one, other) => urgencyOf(one) - urgencyOf(other) || one.service.name.localeCompare(other.service.name));
  const told = services.map(({ id }) => states[id]?.state).filter((state): state is string => Boolean(state));
  const state = aggregate(told);
  const running = state ? runningWord(state) : undefined;
  const deployed = deploymentWord(statuses?.environment.last_deployment_state ?? statuses?.environment.state);
  const words = [deployed, ...(running ? [running] : [])];
  return {
    running,
    deployed,
    deployedAt: statuses?.environment.last_deployment_date ?? undefined,
    services: rows,
    upCount: told.filter((each) => each === "RUNNING" || each === "COMPLETED").length,
    urgency: Math.min(urgency(...words), ...rows.map(urgencyOf)),
  };
}

export function summariseService(service: Service, status: ServiceStatus | undefined, states: States): ServiceSummary {
  const state = states[service.id];
  const failing = state?.processes?.find((process) => process.reason && process.state !== "RUNNING");
  return {
    service,
    running: state && !state.deleted ? runningWord(state.state) : undefined,
    deployed: deploymentWord(status?.state),
    isOutOfDate: status?.service_deployment_status === "OUT_OF_DATE",
    reason: state?.state === "RUNNING" ? "" : state?.reason || failing?.reason || "",
  };
}

const urgencyOf = ({ running, deployed }: ServiceSummary): number => urgency(deployed, ...(running ? [running] : []));
