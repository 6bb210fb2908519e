import { describe, expect, it } from "vitest";

import type { Deployment, Step } from "@/api/types";
import { commitPairs, stepPairs, tookMs } from "@/pure/compare";

const step = (kind: string, service: string, more: Partial<Step> = {}): Step => ({ id: kind + service, kind, service_id: service, service_name: service.toUpperCase(), stage: "", state: "SUCCEEDED", ...more });
const deployment = (commits: Record<string, string>, steps: Step[]): Deployment => ({
  id: "d", number: 1, organization_id: "o", project_id: "p", environment_id: "e", action: "DEPLOY", status: "DEPLOYED", created_at: "2026-01-01T00:00:00Z", commits, steps,
});

describe("two deployments", () => {
  it("pair commits by service, differences first", () => {
    const pairs = commitPairs(deployment({ a: "1", b: "1" }, []), deployment({ a: "1", b: "2", c: "3" }, [step("build", "c")]), new Map([["a", "api"], ["b", "web"]]));
    expect(pairs.map(({ name, before, after }) => [name, before, after])).toEqual([["C", undefined, "3"], ["web", "1", "2"], ["api", "1", "1"]]);
  });

  it("pair steps that do the same to the same service", () => {
    const pairs = stepPairs(deployment({}, [step("build", "a"), step("deploy", "a")]), deployment({}, [step("deploy", "a"), step("deploy", "b")]));
    expect(pairs.map(({ key, before, after }) => [key, Boolean(before), Boolean(after)])).toEqual([["build a", true, false], ["deploy a", true, true], ["deploy b", false, true]]);
  });

  it("know how long what ended took", () => {
    expect(tookMs({ started_at: "2026-01-01T00:00:00Z", ended_at: "2026-01-01T00:00:02.5Z" })).toBe(2500);
    expect(tookMs({ started_at: "2026-01-01T00:00:00Z", ended_at: null })).toBeUndefined();
    expect(tookMs(undefined)).toBeUndefined();
  });
});
