/** Two deployments side by side: commits, steps and times. */

import type { Deployment, Step } from "@/api/types";
import { stepsOf } from "@/pure/steps";

export interface CommitPair {
  serviceId: string;
  name: string;
  before: string | undefined;
  after: string | undefined;
}

/** Commits that both or one of them brought, those that differ first. */
export function commitPairs(one: Deployment, other: Deployment, names: Map<string, string>): CommitPair[] {
  const [old, now] = [one.commits ?? {}, other.commits ?? {}];
  const told = new Map([...stepsOf(one), ...stepsOf(other)].map((step) => [step.service_id, step.service_name]));
  const ids = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  const pairs = ids.map((id) => ({ serviceId: id, name: told.get(id) || names.get(id) || "a deleted service", before: old[id], after: now[id] }));
  return pairs.sort((a, b) => Number(a.before === a.after) - Number(b.before === b.after) || a.name.localeCompare(b.name));
}

export interface StepPair {
  key: string;
  kind: string;
  name: string;
  before: Step | undefined;
  after: Step | undefined;
}

const ORDER = ["pre_check", "build", "deploy"];
const rank = (kind: string): number => (ORDER.indexOf(kind.toLowerCase()) + ORDER.length + 1) % (ORDER.length + 1);

/** Steps that do the same to the same service stand beside each other; checks first, then builds, then what follows. */
export function stepPairs(one: Deployment, other: Deployment): StepPair[] {
  const pairs = new Map<string, StepPair>();
  const place = (step: Step, side: "before" | "after"): void => {
    const key = `${step.kind.toLowerCase()} ${step.service_id}`;
    const pair = pairs.get(key) ?? { key, kind: step.kind, name: step.service_name, before: undefined, after: undefined };
    pair[side] = step;
    pairs.set(key, pair);
  };
  for (const step of stepsOf(other)) place(step, "after");
  for (const step of stepsOf(one)) place(step, "before");
  return [...pairs.values()].sort((a, b) => rank(a.kind) - rank(b.kind));
}

/** How long something took; nothing for what didn't begin or hasn't ended. */
export function tookMs(timed: { started_at?: string | null; ended_at?: string | null } | undefined): number | undefined {
  if (!timed?.started_at || !timed.ended_at) return undefined;
  return Math.max(0, new Date(timed.ended_at).getTime() - new Date(timed.started_at).getTime());
}
