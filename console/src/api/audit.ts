/** The audit log: who changed what, from where, before and after. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { get, path } from "@/api/client";

export interface AuditEvent {
  id: string;
  timestamp: string;
  event_type: string;
  target_id?: string | null;
  target_name?: string;
  target_type: string;
  sub_target_type?: string | null;
  /** JSON: after it, or what was when it is gone. */
  change?: string;
  /** JSON: before it. */
  original_change?: string;
  origin?: string;
  triggered_by?: string;
  project_name?: string | null;
  environment_id?: string | null;
  environment_name?: string | null;
}

export interface AuditFilter {
  eventType?: string | undefined;
  targetType?: string | undefined;
  subTargetType?: string | undefined;
  targetId?: string | undefined;
  triggeredBy?: string | undefined;
  origin?: string | undefined;
  fromTimestamp?: string | undefined;
  toTimestamp?: string | undefined;
  serviceEnvironmentId?: string | undefined;
}

interface Page {
  links?: { next?: string };
  events?: AuditEvent[];
}

const page = (organizationId: string, filter: AuditFilter, size: number, after: string, signal: AbortSignal): Promise<Page> =>
  get<Page>(path`/organization/${organizationId}/events`, { query: { ...filter, pageSize: size, continueToken: after }, signal });

/** Newest first, page by page. */
export const auditQuery = (organizationId: string, filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ["organization", organizationId, "audit", filter],
    queryFn: ({ signal, pageParam }) => page(organizationId, filter, 50, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: ({ links }) => cursorOf(links?.next),
    staleTime: 5_000,
  });

/** The newest events that pass a filter. */
export const newestEventsQuery = (organizationId: string, filter: AuditFilter, size = 100) =>
  queryOptions({
    queryKey: ["organization", organizationId, "events", filter, size],
    queryFn: async ({ signal }) => (await page(organizationId, filter, size, "", signal)).events ?? [],
    staleTime: 10_000,
  });

export const cursorOf = (link: string | undefined): string | undefined => (link && new URL(link, "http://localhost").searchParams.get("continueToken")) || undefined;
