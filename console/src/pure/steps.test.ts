import { expect, test } from "vitest";

import type { Deployment, Step } from "@/api/types";
import { concerns, failedStep, interesting, progress, serviceIds, stages } from "./steps";

const step = (id: string, state: string, more: Partial<Step> = {}): Step => ({ id, service_id: `s-${id}`, service_name: id, kind: "deploy", stage: "Applications", state, ...more });
const deployment = (...steps: Step[]): Deployment => ({
  id: "d", number: 1, organization_id: "o", project_id: "p", environment_id: "e", action: "DEPLOY", status: "DEPLOYING", created_at: "2026-01-01T00:00:00Z", steps,
});

test("steps stand under their stages, in the order of the plan", () => {
  const grouped = stages([step("a", "SUCCEEDED", { stage: "Build" }), step("b", "PENDING"), step("c", "PENDING", { stage: "Build" })]);
  expect(grouped.map(({ name, steps }) => [name, steps.length])).toEqual([["Build", 2], ["Applications", 1]]);
});

test("what failed opens by itself, before what runs, before what ended", () => {
  const done = step("a", "SUCCEEDED", { started_at: "2026-01-01T00:00:00Z" });
  const running = step("b", "RUNNING", { started_at: "2026-01-01T00:00:01Z" });
  const failed = step("c", "FAILED", { started_at: "2026-01-01T00:00:02Z" });
  expect(interesting(deployment(done, running, failed))?.id).toBe("c");
  expect(interesting(deployment(done, running))?.id).toBe("b");
  expect(interesting(deployment(done, step("d", "PENDING")))?.id).toBe("a");
  expect(interesting(deployment(step("d", "PENDING")))?.id).toBe("d");
  expect(interesting(deployment())).toBeUndefined();
});

test("progress counts what ended in any way, and names what runs", () => {
  const { done, total, current } = progress(deployment(step("a", "SUCCEEDED"), step("b", "SKIPPED"), step("c", "READY"), step("d", "RUNNING")));
  expect([done, total, current?.id]).toEqual([2, 4, "d"]);
  expect(failedStep(deployment(step("a", "SUCCEEDED")))).toBeUndefined();
});

test("a deployment concerns the services of its steps and of its commits, once each", () => {
  const one = { ...deployment(step("a", "PENDING"), step("b", "PENDING", { service_id: "s-a" }), step("check", "SUCCEEDED", { service_id: "" })), commits: { "s-z": "c0ffee" } };
  expect(serviceIds(one)).toEqual(["s-a", "s-z"]);
  expect(concerns(one, "s-z")).toBe(true);
  expect(concerns(one, "s-y")).toBe(false);
});
