/** The samples of one service: what is kept, then what comes. */

import { useEffect, useState } from "react";

import type { MetricSample } from "@/api/types";
import { listen, subscriptionOf } from "@/live/connection";

const PAGE = 500;
const MOST = 17_280; // two days, a sample each ten seconds

export interface Samples {
  samples: MetricSample[];
  loading: boolean;
  problem: string;
}

export function useSamples(serviceId: string, hours: number): Samples {
  const [value, set] = useState<Samples>({ samples: [], loading: true, problem: "" });
  useEffect(() => {
    const channel = `metrics:${serviceId}`;
    const samples = new Map<string, MetricSample>();
    let isOver = false;
    let due: ReturnType<typeof setTimeout> | undefined;
    const show = (change: Partial<Samples> = {}): void => {
      clearTimeout(due);
      due = setTimeout(() => !isOver && set((before) => ({ ...before, ...change, samples: [...samples.values()] })), 50);
    };
    const load = async (): Promise<void> => {
      try {
        await loadSince(channel, Date.now() - hours * 3_600_000, samples);
        show({ loading: false, problem: "" });
      } catch (error) {
        show({ loading: false, problem: error instanceof Error ? error.message : String((error as { message?: string }).message ?? error) });
      }
    };
    const end = listen(channel, {
      publication: (data) => {
        keep(samples, data as MetricSample);
        show();
      },
      subscribed: () => void load(),
      refused: (_, message) => show({ loading: false, problem: message }),
    });
    return () => {
      isOver = true;
      clearTimeout(due);
      end();
    };
  }, [serviceId, hours]);
  return value;
}

async function loadSince(channel: string, since: number, samples: Map<string, MetricSample>): Promise<void> {
  let position: { offset: number; epoch: string } | undefined;
  while (samples.size < MOST) {
    const subscription = subscriptionOf(channel);
    if (!subscription) return;
    const { publications, epoch } = await subscription.history({ limit: PAGE, reverse: true, ...(position && { since: position }) });
    let oldest = Infinity;
    for (const { data, offset } of publications) {
      keep(samples, data as MetricSample);
      oldest = Math.min(oldest, new Date((data as MetricSample).at).getTime());
      if (offset) position = { offset: Math.min(offset, position?.offset ?? Infinity), epoch };
    }
    if (publications.length < PAGE || oldest < since || !position) return;
  }
}

function keep(samples: Map<string, MetricSample>, sample: MetricSample): void {
  samples.set(sample.at, sample);
}
