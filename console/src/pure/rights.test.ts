import { describe, expect, it } from "vitest";

import { permissionsOf } from "@/pure/rights";

describe("what a role allows", () => {
  it("knows the built-in ones", () => {
    expect(permissionsOf({ name: "Viewer", builtIn: "VIEWER" })).toEqual([]);
    expect(permissionsOf({ name: "DevOps", builtIn: "DEVELOPER" })).not.toContain("admin");
    expect(permissionsOf({ name: "Owner", builtIn: "OWNER" })).toContain("admin");
  });

  it("allows nothing to a role without a word of its own", () => {
    expect(permissionsOf({ name: "Billing manager" }, "p", "PRODUCTION")).toEqual([]);
  });

  it("reads custom roles per project and kind of environment", () => {
    const role = { name: "Shop", projects: [{ project_id: "p", permissions: [{ environment_type: "STAGING", permission: "DEPLOYER" }] }] };
    expect(permissionsOf(role, "p", "STAGING")).toEqual(["deploy"]);
    expect(permissionsOf(role, "p", "PRODUCTION")).toEqual([]);
    expect(permissionsOf(role, "other", "STAGING")).toEqual([]);
    expect(permissionsOf({ name: "Shop", projects: [{ project_id: "p", is_admin: true }] }, "p", "PRODUCTION")).toContain("manage");
  });
});
