import { describe, expect, it } from "vitest";

import { fieldChanges, parsed } from "@/pure/diff";

describe("changes between documents", () => {
  it("names the fields that differ, and only those", () => {
    expect(fieldChanges({ name: "a", cpu: 100, ports: [1] }, { name: "a", cpu: 250, ports: [1] })).toEqual([{ name: "cpu", before: "100", after: "250" }]);
  });

  it("tells what came and what went, also deep inside", () => {
    expect(fieldChanges({ git: { branch: "main" } }, { git: { branch: "main", root: "/web" } })).toEqual([{ name: "git.root", before: undefined, after: "/web" }]);
    expect(fieldChanges({ old: null }, {})).toEqual([{ name: "old", before: "null", after: undefined }]);
  });

  it("compares lists as a whole", () => {
    expect(fieldChanges({ days: ["MONDAY"] }, { days: ["MONDAY", "FRIDAY"] })).toEqual([{ name: "days", before: '["MONDAY"]', after: '["MONDAY","FRIDAY"]' }]);
  });

  it("survives what is no JSON", () => {
    expect(fieldChanges(parsed("{"), parsed(undefined))).toEqual([]);
  });
});
