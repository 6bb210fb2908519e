/**
 * The lines that a log view holds: each once, in time order, at most `capacity` of them.
 *
 * A line's identity is (epoch of its source, sequence); whatever arrives twice, from history and live, counts once.
 * `rebuilds` changes whenever older positions moved, so that views that only grow need not look at old lines again.
 */

import { stripAnsi } from "@/pure/ansi";
import { type Level, levelOf } from "@/pure/logs/levels";

/** [sequence, time in ns, stream, text, level], as the contract `LogLine` travels. */
export type WireLine = [number, number, string, string, string?];

export interface WireBatch {
  epoch: string;
  source: string;
  deployment_id?: string;
  step_id?: string;
  release?: string;
  lines: WireLine[];
}

export interface Line {
  id: string;
  epoch: string;
  sequence: number;
  /** Unix milliseconds, with the fraction. */
  time: number;
  /** stdout, stderr, or system: said by Slipway itself. */
  stream: string;
  source: string;
  deploymentId: string;
  stepId: string;
  release: string;
  level: Level;
  text: string;
  plain: string;
}

export const CAPACITY = 100_000;

export class LogBuffer {
  lines: Line[] = [];
  /** How often positions of older lines changed. */
  rebuilds = 0;
  /** Lines dropped from the start because there were too many. */
  dropped = 0;
  private readonly seen = new Map<string, Set<number>>();

  constructor(private readonly capacity = CAPACITY) {}

  /** Take batches in; how many lines were new. */
  add(batches: Iterable<WireBatch>): number {
    const fresh: Line[] = [];
    for (const batch of batches) this.takeNew(batch, fresh);
    if (fresh.length === 0) return 0;
    fresh.sort(inOrder);
    this.merge(fresh);
    this.trim();
    return fresh.length;
  }

  clear(): void {
    this.lines = [];
    this.seen.clear();
    this.dropped = 0;
    this.rebuilds++;
  }

  private takeNew(batch: WireBatch, fresh: Line[]): void {
    let seen = this.seen.get(batch.epoch);
    if (!seen) this.seen.set(batch.epoch, (seen = new Set()));
    for (const wire of batch.lines) {
      if (seen.has(wire[0])) continue;
      seen.add(wire[0]);
      fresh.push(lineOf(batch, wire));
    }
  }

  private merge(fresh: Line[]): void {
    const last = this.lines.at(-1);
    const first = fresh[0];
    if (!last || !first || inOrder(last, first) <= 0) {
      for (const line of fresh) this.lines.push(line);
      return;
    }
    this.lines = [...this.lines, ...fresh].sort(inOrder);
    this.rebuilds++;
  }

  private trim(): void {
    if (this.lines.length <= this.capacity) return;
    // A tenth at once: trimming line by line would move everything on every batch.
    const excess = this.lines.length - Math.floor(this.capacity * 0.9);
    for (const line of this.lines.slice(0, excess)) this.seen.get(line.epoch)?.delete(line.sequence);
    this.lines = this.lines.slice(excess);
    this.dropped += excess;
    this.rebuilds++;
  }
}

function lineOf(batch: WireBatch, [sequence, timeNs, stream, text, level]: WireLine): Line {
  const plain = stripAnsi(text);
  return {
    id: `${batch.epoch}.${sequence}`,
    epoch: batch.epoch,
    sequence,
    time: timeNs / 1e6,
    stream,
    source: batch.source,
    deploymentId: batch.deployment_id ?? "",
    stepId: batch.step_id ?? "",
    release: batch.release ?? "",
    level: stream === "system" ? "" : levelOf(level, plain),
    text,
    plain,
  };
}

/** By time; inside a source its own order rules, whatever its clock did. */
function inOrder(one: Line, other: Line): number {
  if (one.epoch === other.epoch) return one.sequence - other.sequence;
  return one.time - other.time || (one.epoch < other.epoch ? -1 : 1);
}
