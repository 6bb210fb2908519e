/** What a deployment's steps say, as pure functions. */

import type { Deployment, Step } from "@/api/types";

const ENDED = new Set(["SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"]);

export interface StageOfSteps {
  name: string;
  steps: Step[];
}

export const stepsOf = (deployment: Deployment): Step[] => deployment.steps ?? [];

/** Steps by stage, in the order in which the plan names them. */
export function stages(steps: Step[]): StageOfSteps[] {
  const found = new Map<string, Step[]>();
  for (const step of steps) {
    const name = step.stage || (step.kind.toLowerCase() === "build" ? "Build" : "Deploy");
    found.set(name, [...(found.get(name) ?? []), step]);
  }
  return [...found].map(([name, list]) => ({ name, steps: list }));
}

export function progress(deployment: Deployment): { done: number; total: number; current: Step | undefined } {
  const steps = stepsOf(deployment);
  return {
    done: steps.filter((step) => ENDED.has(step.state)).length,
    total: steps.length,
    current: steps.find((step) => step.state === "RUNNING") ?? steps.find((step) => step.state === "READY"),
  };
}

export const failedStep = (deployment: Deployment): Step | undefined => stepsOf(deployment).find((step) => step.state === "FAILED");

/** What a reader wants to see first: what failed, else what runs, else what ended last. */
export function interesting(deployment: Deployment): Step | undefined {
  const steps = stepsOf(deployment);
  const begun = steps.filter((step) => step.started_at);
  return failedStep(deployment) ?? steps.find((step) => step.state === "RUNNING") ?? begun.at(-1) ?? steps[0];
}

export const serviceIds = (deployment: Deployment): string[] => [...new Set([...stepsOf(deployment).map((step) => step.service_id), ...Object.keys(deployment.commits ?? {})])].filter(Boolean);

export const concerns = (deployment: Deployment, serviceId: string): boolean =>
  serviceId in (deployment.commits ?? {}) || stepsOf(deployment).some((step) => step.service_id === serviceId);
