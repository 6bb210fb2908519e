/** Live data for components. What arrives goes into the query cache, where pages read it. */

import { type QueryClient, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";

import type { MetricSample, ServiceState } from "@/api/types";
import { type Connection, listen, type Listener, readConnection, watchConnection } from "@/live/connection";
import { applyEvent, refreshEnvironment } from "@/live/events";

export const useConnection = (): Connection => useSyncExternalStore(watchConnection, readConnection);

/** How often to ask instead while nothing comes live; false while it does. */
export function usePolling(milliseconds = 4_000): number | false {
  return useConnection().state === "connected" ? false : milliseconds;
}

export function useChannel(name: string | undefined, listener: Listener): void {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    if (!name) return;
    return listen(name, {
      publication: (data, context) => latest.current.publication(data, context),
      subscribed: (context) => latest.current.subscribed?.(context),
      refused: (code, message) => latest.current.refused?.(code, message),
    });
  }, [name]);
}

/** The gateway allows 200 channels on a connection; what lies beyond this many environments is asked for instead. */
const MOST_ENVIRONMENTS = 120;

/** Keep an organization fresh: all its events, and the running states in these environments. */
export function useOrganizationLive(id: string, environmentIds: string[]): void {
  const client = useQueryClient();
  useChannel(`organization:${id}`, {
    publication: (data) => applyEvent(client, data),
    subscribed: ({ wasRecovering, recovered }) => {
      if (wasRecovering && !recovered) void client.invalidateQueries();
    },
  });
  useRunningStates(environmentIds.slice(0, MOST_ENVIRONMENTS));
}

/** Keep one environment fresh: its events, and the running states of its services. */
export function useEnvironmentLive(id: string): void {
  const client = useQueryClient();
  useChannel(`environment:${id}`, {
    publication: (data) => applyEvent(client, data),
    subscribed: ({ wasRecovering, recovered }) => {
      if (wasRecovering && !recovered) refreshEnvironment(client, id);
    },
  });
  useRunningStates([id]);
}

function useRunningStates(environmentIds: string[]): void {
  const client = useQueryClient();
  const key = environmentIds.join(" ");
  useEffect(() => {
    const ends = key.split(" ").filter(Boolean).map((id) => listen(`states:${id}`, { publication: (data) => keepState(client, data as ServiceState) }));
    return () => ends.forEach((end) => end());
  }, [client, key]);
}

function keepState(client: QueryClient, state: ServiceState): void {
  client.setQueryData<States>(["states", state.environment_id], (before = {}) => {
    const known = before[state.service_id];
    return known && known.at > state.at ? before : { ...before, [state.service_id]: state };
  });
}

export type States = Record<string, ServiceState>;

const NOTHING: States = {};
const statesOf = (environmentId: string) => ({
  queryKey: ["states", environmentId],
  queryFn: () => NOTHING,
  enabled: false,
  staleTime: Infinity,
});

/** The running states of an environment's services, as far as the agent has told them. */
export function useStates(environmentId: string): States {
  return useQuery(statesOf(environmentId)).data ?? NOTHING;
}

export function useAllStates(environmentIds: string[]): Record<string, States> {
  return useQueries({
    queries: environmentIds.map(statesOf),
    combine: (results) => Object.fromEntries(results.map(({ data }, index) => [environmentIds[index], data ?? NOTHING])),
  });
}

/** A deployment that is being looked at. */
export function useDeploymentChannel(id: string): void {
  const client = useQueryClient();
  useChannel(`deployment:${id}`, {
    publication: (data) => applyEvent(client, data),
    subscribed: ({ wasRecovering, recovered }) => {
      if (wasRecovering && !recovered) void client.invalidateQueries({ queryKey: ["deployment", id] });
    },
  });
}

export type { MetricSample };
