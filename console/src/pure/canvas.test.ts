import { describe, expect, it } from "vitest";

import type { Variable } from "@/api/types";
import { connections, type Known, layout, mark } from "@/pure/canvas";

const variable = (key: string, value: string, more: Partial<Variable> = {}): Variable => ({ id: key, key, value, scope: "APPLICATION", variable_type: "VALUE", is_secret: false, ...more });
const known = (id: string, hosts: string[], ...variables: Variable[]): Known => ({ id, hosts, variables });

describe("the canvas", () => {
  it("connects who names another's host, as a whole word", () => {
    const found = connections([known("a", ["web.localhost"], variable("API", "http://api.localhost:80/x")), known("b", ["api.localhost"]), known("c", ["i.localhost"])]);
    expect(found).toEqual([{ from: "a", to: "b", by: ["API"] }]);
  });

  it("connects who uses another's own variable, also by an alias", () => {
    const id = "01a205a6-2474-70b2-a29a-d60e7679fb9b";
    const text = `QOVERY_DATABASE${mark(id)}HOST_INTERNAL`;
    const found = connections([known("a", [], variable("DB", `postgres://{{${text}}}/x`), variable("HOST", "", { aliased_variable: { id: "v", key: text } })), known(id, [])]);
    expect(found).toEqual([{ from: "a", to: id, by: ["DB", "HOST"] }]);
  });

  it("reads nothing out of secrets and of what is built in", () => {
    const told = [variable("S", "api.localhost", { is_secret: true }), variable("B", "api.localhost", { variable_type: "BUILT_IN" })];
    expect(connections([known("a", [], ...told), known("b", ["api.localhost"])])).toEqual([]);
  });

  it("places users left of what they use, and ends where services use each other", () => {
    const places = layout(["db", "web", "api"], [{ from: "web", to: "api" }, { from: "api", to: "db" }]);
    expect([...places].map(([id, { column, row }]) => [id, column, row])).toEqual([["db", 2, 0], ["web", 0, 0], ["api", 1, 0]]);
    expect(layout(["a", "b"], [{ from: "a", to: "b" }, { from: "b", to: "a" }]).size).toBe(2);
  });
});
