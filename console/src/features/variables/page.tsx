/** Variables of a service or environment, scope by scope: the narrower one wins. Secrets go in and never come out. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { environmentQuery } from "@/api/environments";
import type { Variable, VariableScope } from "@/api/types";
import { variablesQuery } from "@/api/variables";
import { VariableDialog } from "@/features/variables/edit";
import { ImportDialog } from "@/features/variables/import";
import { VariableRow } from "@/features/variables/row";
import { useService, useServicePath, useServicePlace } from "@/features/service/page";
import { useRights } from "@/features/rights";
import { command } from "@/pure/cli";
import { Button } from "@/ui/button";
import { CliMenu } from "@/ui/copy";
import { Input } from "@/ui/form";
import { Loading, ProblemNote } from "@/ui/notes";

export interface Scope {
  scope: VariableScope;
  parentId: string;
  label: string;
  hint: string;
}

export function ServiceVariables() {
  const { environmentId, serviceId } = useServicePlace();
  const { service } = useService();
  const scopes = useScopes(environmentId);
  const at = useServicePath(service);
  if (!service || !scopes) return <Loading lines={5} className="panel p-5" />;
  const own: Scope = {
    scope: service.service_type as VariableScope,
    parentId: serviceId,
    label: "This service",
    hint: "Only this service sees them. They win over those below.",
  };
  // A database has no variables of its own.
  return <Variables scopes={service.service_type === "DATABASE" ? scopes : [own, ...scopes]} target={at} />;
}

export function EnvironmentVariables() {
  const { environmentId } = useParams({ from: "/signed-in/environment/$environmentId/variables" });
  const scopes = useScopes(environmentId);
  if (!scopes) return <Loading lines={5} className="panel p-5" />;
  return <Variables scopes={scopes} target="" />;
}

function useScopes(environmentId: string): Scope[] | undefined {
  const environment = useQuery(environmentQuery(environmentId)).data;
  return useMemo(
    () =>
      environment && [
        { scope: "ENVIRONMENT" as const, parentId: environmentId, label: "Environment", hint: `Every service in ${environment.name} sees them.` },
        { scope: "PROJECT" as const, parentId: environment.project.id, label: "Project", hint: "Every service in every environment of the project sees them." },
      ],
    [environment, environmentId],
  );
}

function Variables({ scopes, target }: { scopes: Scope[]; target: string }) {
  const [text, setText] = useState("");
  const [editing, setEditing] = useState<{ scope: Scope; variable?: Variable }>();
  const [importing, setImporting] = useState(false);
  const queries = useQueries({ queries: scopes.map((scope) => variablesQuery(scope.scope, scope.parentId)) });
  const lists = scopes.flatMap((scope, index) => (queries[index] ? [{ scope, query: queries[index] }] : []));
  const mayChange = useRights().may("manage");
  const narrowest = scopes[0] as Scope;
  const own = lists.map(({ scope, query }) => ({ scope, query, variables: mine(query.data ?? [], scope) }));
  const builtIn = (lists[0]?.query.data ?? []).filter((variable) => variable.scope === "BUILT_IN");
  const wins = new Map<string, string>();
  for (const { variables } of own) for (const { key, id } of variables) if (!wins.has(key)) wins.set(key, id);
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <Input aria-label="Find a variable" placeholder="Find a variable" className="max-w-64" value={text} onChange={(event) => setText(event.target.value)} />
        <div className="ml-auto flex items-center gap-1.5">
          <CliMenu commands={[{ does: "Set a variable", command: target ? command("env", "set", target, "KEY=value") : command("env", "set", "<service>", "KEY=value") }]} />
          {mayChange && (
            <>
              <Button onClick={() => setImporting(true)}>Paste .env</Button>
              <Button look="primary" icon="plus" onClick={() => setEditing({ scope: narrowest })}>
                New variable
              </Button>
            </>
          )}
        </div>
      </div>
      <p className="text-sm text-muted">Changes reach running services with their next deployment.</p>
      {own.map(({ scope, query, variables }) => (
        <section key={scope.scope} className="panel" aria-label={scope.label}>
          <header className="flex items-center gap-2 border-b border-line px-4 py-2">
            <div className="min-w-0">
              <h2 className="text-sm font-semibold">{scope.label}</h2>
              <p className="text-xs text-muted">{scope.hint}</p>
            </div>
            {mayChange && (
              <Button small look="ghost" icon="plus" className="ml-auto" onClick={() => setEditing({ scope })}>
                Add
              </Button>
            )}
          </header>
          {query.error && <ProblemNote error={query.error} retry={() => void query.refetch()} className="m-3" />}
          {query.isPending && <Loading className="p-4" />}
          <List variables={variables} text={text} wins={wins} {...(mayChange && { onEdit: (variable: Variable) => setEditing({ scope, variable }) })} />
        </section>
      ))}
      {builtIn.length > 0 && (
        <details className="panel">
          <summary className="px-4 py-2 text-sm font-semibold">
            Built in <span className="font-normal text-muted">{builtIn.length}, made by the platform</span>
          </summary>
          <List variables={builtIn} text={text} wins={wins} />
        </details>
      )}
      {editing && <VariableDialog scopes={scopes} scope={editing.scope} variable={editing.variable} onClose={() => setEditing(undefined)} />}
      {importing && <ImportDialog scopes={scopes} onClose={() => setImporting(false)} />}
    </div>
  );
}

/** The variables of exactly this scope: some answers hold those of the broader scopes as well. */
function mine(variables: Variable[], scope: Scope): Variable[] {
  return variables.filter((variable) => variable.scope === scope.scope).sort((one, other) => one.key.localeCompare(other.key));
}

function List({ variables, text, wins, onEdit }: { variables: Variable[]; text: string; wins: Map<string, string>; onEdit?: (variable: Variable) => void }) {
  const shown = variables.filter((variable) => variable.key.toLowerCase().includes(text.toLowerCase()));
  if (variables.length === 0) return <p className="px-4 py-3 text-sm text-muted">None.</p>;
  if (shown.length === 0) return <p className="px-4 py-3 text-sm text-muted">None is called that.</p>;
  return (
    <ul>
      {shown.map((variable) => (
        <VariableRow
          key={variable.id}
          variable={variable}
          overridden={wins.has(variable.key) && wins.get(variable.key) !== variable.id}
          {...(onEdit && { onEdit: () => onEdit(variable) })}
        />
      ))}
    </ul>
  );
}

