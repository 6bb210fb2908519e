/** What changed between two JSON documents, field by field, in words of their own names. */

export interface FieldChange {
  name: string;
  before: string | undefined;
  after: string | undefined;
}

/** Fields whose values differ; lists are compared as one value, objects field by field. */
export function fieldChanges(before: unknown, after: unknown): FieldChange[] {
  const [old, now] = [flat(before), flat(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])];
  return names.filter((name) => old.get(name) !== now.get(name)).map((name) => ({ name, before: old.get(name), after: now.get(name) }));
}

/** A JSON text, or nothing when it is none. */
export function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? "{}") as unknown;
  } catch {
    return {};
  }
}

function flat(value: unknown, prefix = "", found = new Map<string, string>()): Map<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (prefix) found.set(prefix, shown(value));
    return found;
  }
  for (const [name, inner] of Object.entries(value)) flat(inner, prefix ? `${prefix}.${name}` : name, found);
  return found;
}

const shown = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
