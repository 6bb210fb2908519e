/** Variables and secrets. A secret's value goes in and never comes back. */

import { queryOptions } from "@tanstack/react-query";

import { list, path, post, put, remove } from "@/api/client";
import type { Variable, VariableScope } from "@/api/types";

export const variablesQuery = (scope: VariableScope, parentId: string) =>
  queryOptions({
    queryKey: ["variables", scope, parentId],
    queryFn: ({ signal }) => list<Variable>("/variable", { signal, query: { scope, parent_id: parentId } }),
  });

export interface NewVariable {
  key: string;
  value: string;
  isSecret: boolean;
  scope: VariableScope;
  parentId: string;
  description: string;
}

export const createVariable = (wanted: NewVariable): Promise<Variable> =>
  post("/variable", {
    key: wanted.key,
    value: wanted.value,
    is_secret: wanted.isSecret,
    variable_scope: wanted.scope,
    variable_parent_id: wanted.parentId,
    description: wanted.description,
  });

/** Without a value the secret keeps the one it has. */
export const editVariable = (id: string, key: string, value: string | undefined, description: string): Promise<Variable> =>
  put(path`/variable/${id}`, { key, description, ...(value === undefined ? {} : { value }) });

export const deleteVariable = (id: string): Promise<void> => remove(path`/variable/${id}`);
