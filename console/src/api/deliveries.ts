/** What Git providers delivered to a service's webhook, and what was made of it. */

import { queryOptions } from "@tanstack/react-query";

import { list, path, post } from "@/api/client";

export interface Delivery {
  id: string;
  service_id: string;
  delivery_id: string;
  provider: string;
  event: string;
  verified: boolean;
  /** accepted, ignored, refused, put_off. */
  outcome: string;
  reason: string;
  status: number;
  repository: string;
  ref: string;
  after: string;
  milliseconds: number;
  address: string;
  received_at: string;
  replay_of?: string;
  replayable?: boolean;
}

export const deliveriesQuery = (linkId: string) =>
  queryOptions({
    queryKey: ["deliveries", linkId],
    queryFn: ({ signal }) => list<Delivery>(path`/hooks/link/${linkId}/delivery`, { query: { limit: 50 }, signal }),
    staleTime: 5_000,
    refetchInterval: 15_000,
  });

/** Send what a delivery meant once more. */
export const replay = (id: string): Promise<Delivery> => post(path`/hooks/entry/${id}/replay`);
