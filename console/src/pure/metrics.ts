/** Samples of a service as columns that a chart can draw. */

import type { MetricSample } from "@/api/types";

export interface Series {
  name: string;
  cpu: (number | null)[];
  memory: (number | null)[];
}

export interface Columns {
  /** Unix seconds, rising. */
  times: number[];
  series: Series[];
}

/** Samples farther apart than this are not joined by a line: nothing was measured between them. */
export const GAP_SECONDS = 60;

export function columns(samples: MetricSample[], sinceSeconds = 0): Columns {
  const sorted = samples
    .map((sample) => ({ sample, at: new Date(sample.at).getTime() / 1000 }))
    .filter(({ at }) => at >= sinceSeconds)
    .sort((one, other) => one.at - other.at);
  const names = [...new Set(sorted.flatMap(({ sample }) => sample.processes.map(({ name }) => name)))].sort();
  const result: Columns = { times: [], series: names.map((name) => ({ name, cpu: [], memory: [] })) };
  for (const { sample, at } of sorted) {
    const last = result.times.at(-1);
    if (last === at) continue;
    if (last !== undefined && at - last > GAP_SECONDS) push(result, last + 1, undefined);
    push(result, at, sample);
  }
  return result;
}

function push(result: Columns, at: number, sample: MetricSample | undefined): void {
  result.times.push(at);
  for (const series of result.series) {
    const process = sample?.processes.find(({ name }) => name === series.name);
    series.cpu.push(process?.cpu_milli ?? null);
    series.memory.push(process?.memory_bytes ?? null);
  }
}
