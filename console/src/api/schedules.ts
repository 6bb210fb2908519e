/** When an environment starts and stops by itself, and what that did. */

import { queryOptions } from "@tanstack/react-query";

import { get, list, path, post, put } from "@/api/client";

export interface Timetable {
  id: string;
  auto_stop?: boolean;
  auto_preview?: boolean;
  on_demand_preview?: boolean;
  timezone: string;
  start_time: string;
  stop_time: string;
  weekdays: string[];
}

export interface Schedule {
  id: string;
  kind: string;
  service_id: string;
  is_paused: boolean;
  paused_by: string;
}

export interface Run {
  schedule_id: string;
  kind: string;
  at: string;
  local_time: string;
}

export interface Firing {
  schedule_id: string;
  kind: string;
  outcome: string;
  nominal_at: string;
  fired_at: string;
  why: string;
}

export const timetableQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "timetable"],
    queryFn: ({ signal }) => get<Timetable>(path`/environment/${environmentId}/deploymentRule`, { signal }),
    staleTime: 30_000,
  });

export const saveTimetable = (environmentId: string, { id, ...rule }: Timetable): Promise<Timetable> => put(path`/environment/${environmentId}/deploymentRule/${id}`, rule);

/** The scheduler hears of a change a moment after it was saved: these are asked for again and again. */
const BRIEF = { staleTime: 2_000, refetchInterval: 5_000 } as const;

export const schedulesQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "schedules"],
    queryFn: ({ signal }) => get<{ results: Schedule[]; problem: string }>(path`/scheduler/environment/${environmentId}/schedule`, { signal }),
    ...BRIEF,
  });

export const nextRunsQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "next-runs"],
    queryFn: ({ signal }) => list<Run>(path`/scheduler/environment/${environmentId}/nextRun`, { query: { count: 8 }, signal }),
    ...BRIEF,
  });

export const firingsQuery = (environmentId: string) =>
  queryOptions({
    queryKey: ["environment", environmentId, "firings"],
    queryFn: ({ signal }) => list<Firing>(path`/scheduler/environment/${environmentId}/firing`, { query: { count: 10 }, signal }),
    ...BRIEF,
  });

export const setPaused = (environmentId: string, id: string, paused: boolean): Promise<Schedule> =>
  post(`${path`/scheduler/environment/${environmentId}/schedule/${id}`}/${paused ? "pause" : "resume"}`);
