/** Which services use which, as their variables tell it, and where each stands on the canvas. */

import type { Variable } from "@/api/types";

export interface Connection {
  from: string;
  to: string;
  /** Keys of the variables that say so. */
  by: string[];
}

export interface Known {
  id: string;
  /** Host names under which it is reached. */
  hosts: string[];
  variables: Variable[];
}

/** The platform's own variables of a service carry the end of its id: `QOVERY_DATABASE_Z0A1B2C3D_HOST_INTERNAL`. */
export const mark = (id: string): string => `_Z${id.replaceAll("-", "").slice(-8).toUpperCase()}_`;

/** A service uses another when one of its variables names the other's host, or one of the other's own variables. Secrets tell nothing. */
export function connections(services: Known[]): Connection[] {
  const found: Connection[] = [];
  for (const { id: from, variables } of services) {
    const own = variables.filter(({ variable_type, is_secret }) => variable_type !== "BUILT_IN" && !is_secret);
    for (const { id: to, hosts } of services) {
      if (to === from) continue;
      const by = own.filter((variable) => isAbout(variable, to, hosts)).map(({ key }) => key);
      if (by.length > 0) found.push({ from, to, by });
    }
  }
  return found;
}

function isAbout({ value, aliased_variable }: Variable, id: string, hosts: string[]): boolean {
  const text = `${value ?? ""} ${aliased_variable?.key ?? ""}`;
  return text.includes(mark(id)) || hosts.some((host) => new RegExp(`(^|[^\\w.-])${host.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[^\\w.-])`).test(text));
}

export interface Place {
  column: number;
  row: number;
}

/** Who uses stands left of what is used; circles are cut where they close. */
export function layout(ids: string[], edges: { from: string; to: string }[]): Map<string, Place> {
  const column = new Map<string, number>();
  const depth = (id: string, path: Set<string>): number => {
    const known = column.get(id);
    if (known !== undefined) return known;
    const users = edges.filter(({ to, from }) => to === id && !path.has(from)).map(({ from }) => depth(from, new Set(path).add(id)) + 1);
    const own = Math.max(0, ...users);
    if (path.size === 0) column.set(id, own);
    return own;
  };
  const rows: number[] = [];
  return new Map(
    ids.map((id) => {
      const at = depth(id, new Set());
      rows[at] = (rows[at] ?? -1) + 1;
      return [id, { column: at, row: rows[at] }];
    }),
  );
}
