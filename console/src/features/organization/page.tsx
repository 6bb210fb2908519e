/** The home of an organization: its projects, their environments as cards, what is broken first. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";

import { environmentsQuery, projectStatusesQuery, servicesQuery, statusesQuery } from "@/api/environments";
import { organizationQuery, projectsQuery } from "@/api/organizations";
import type { Environment, Project } from "@/api/types";
import { NewEnvironment } from "@/features/create/environment";
import { NewProject } from "@/features/create/project";
import { Attention } from "@/features/organization/attention";
import { EnvironmentCard } from "@/features/organization/card";
import { type Summary, summarise } from "@/features/organization/summary";
import { useRights } from "@/features/rights";
import { useAllStates, useOrganizationLive, usePolling } from "@/live/hooks";
import { command } from "@/pure/cli";
import { count } from "@/pure/format";
import { isFailed } from "@/pure/states";
import { Button } from "@/ui/button";
import { CliMenu } from "@/ui/copy";
import { Icon } from "@/ui/icons";
import { Empty, Loading, ProblemNote } from "@/ui/notes";

export interface Entry {
  environment: Environment;
  /** Its services are known. */
  isLoaded: boolean;
  summary: Summary;
}

export function OrganizationPage() {
  const { organizationId } = useParams({ from: "/signed-in/organization/$organizationId" });
  const organization = useQuery(organizationQuery(organizationId));
  const projects = useQuery(projectsQuery(organizationId));
  const { entries, isLoading, near } = useEntries(organizationId, projects.data ?? []);
  const [adding, setAdding] = useState(false);
  const mayAdd = useRights().may("manage");
  const sorted = useMemo(() => byUrgency(projects.data ?? [], entries), [projects.data, entries]);

  if (projects.error) return <ProblemNote error={projects.error} retry={() => void projects.refetch()} />;
  return (
    <div className="flex flex-col gap-6">
      <header className="flex flex-wrap items-center gap-2">
        <h1 className="mr-auto text-xl font-semibold">{organization.data?.name ?? "Projects"}</h1>
        <CliMenu commands={[{ does: "Your projects and what runs in them", command: command("projects") }]} />
        {mayAdd && (
          <Button look="primary" icon="plus" onClick={() => setAdding(true)}>
            New project
          </Button>
        )}
      </header>
      <Attention entries={entries} projects={projects.data ?? []} />
      {(projects.isPending || (isLoading && entries.length === 0)) && <Loading lines={6} className="panel p-5" />}
      {projects.data?.length === 0 && (
        <Empty
          icon="folder"
          title="No project yet"
          action={
            mayAdd && (
              <Button look="primary" icon="plus" onClick={() => setAdding(true)}>
                New project
              </Button>
            )
          }
        >
          A project holds environments, for example production and staging, and they hold your services. Make one, then push code into it.
        </Empty>
      )}
      {sorted.map((project) => (
        <ProjectSection key={project.id} project={project} near={near} entries={entries.filter((entry) => entry.environment.project.id === project.id)} />
      ))}
      <NewProject organizationId={organizationId} open={adding} onClose={() => setAdding(false)} />
    </div>
  );
}

/**
 * The environments with what is known of each. What stands in a card is asked for when the card comes near the
 * window, and at once where something is broken: many environments don't make many requests.
 */
function useEntries(organizationId: string, projects: Project[]): { entries: Entry[]; isLoading: boolean; near: (id: string) => void } {
  const polling = usePolling();
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const list = useQuery(environmentsQuery(organizationId));
  const environments = list.data ?? [];
  const statuses = useQueries({ queries: projects.map(({ id }) => ({ ...projectStatusesQuery(id), refetchInterval: polling })) }).flatMap(({ data }) => data ?? []);
  const ids = environments.map(({ id }) => id);
  useOrganizationLive(organizationId, ids);
  const states = useAllStates(ids);

  const isBroken = (id: string): boolean =>
    isFailed(statuses.find((status) => status.id === id)?.last_deployment_state) ||
    Object.values(states[id] ?? {}).some(({ state }) => state === "ERROR" || state === "WARNING");
  const wanted = (id: string): boolean => seen.has(id) || isBroken(id);
  const services = useQueries({ queries: ids.map((id) => ({ ...servicesQuery(id), enabled: wanted(id) })) });
  const details = useQueries({ queries: ids.map((id) => ({ ...statusesQuery(id), enabled: wanted(id), refetchInterval: polling })) });

  const entries = environments.map((environment, index) => {
    const overall = statuses.find(({ id }) => id === environment.id);
    const detail = details[index]?.data ?? (overall && { environment: overall });
    return {
      environment,
      isLoaded: services[index]?.data !== undefined,
      summary: summarise(services[index]?.data ?? [], detail, states[environment.id] ?? {}),
    };
  });
  const near = useCallback((id: string) => setSeen((before) => (before.has(id) ? before : new Set(before).add(id))), []);
  return { entries, isLoading: list.isPending, near };
}

function byUrgency(projects: Project[], entries: Entry[]): Project[] {
  const worst = (project: Project): number =>
    Math.min(9, ...entries.filter(({ environment }) => environment.project.id === project.id).map(({ summary }) => Math.min(summary.urgency, 2)));
  return [...projects].sort((one, other) => worst(one) - worst(other) || one.name.localeCompare(other.name));
}

function ProjectSection({ project, entries, near }: { project: Project; entries: Entry[]; near: (id: string) => void }) {
  const [adding, setAdding] = useState(false);
  const mayAdd = useRights().may("manage", project.id);
  const sorted = [...entries].sort(
    (one, other) => Math.min(one.summary.urgency, 2) - Math.min(other.summary.urgency, 2) || one.environment.name.localeCompare(other.environment.name),
  );
  return (
    <section aria-labelledby={project.id} className="flex flex-col gap-3">
      <header className="flex items-baseline gap-2 border-b border-line pb-1.5">
        <h2 id={project.id} className="min-w-0 scroll-mt-16 truncate text-lg font-semibold">
          {project.name}
        </h2>
        <span className="text-xs whitespace-nowrap text-muted">{count(entries.length, "environment")}</span>
        <span className="ml-auto flex items-center gap-1">
          <Link
            to="/project/$projectId/settings"
            params={{ projectId: project.id }}
            aria-label={`Settings of ${project.name}`}
            className="flex size-7 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text"
          >
            <Icon name="gear" />
          </Link>
          {mayAdd && (
            <Button small look="ghost" icon="plus" onClick={() => setAdding(true)}>
              Environment
            </Button>
          )}
        </span>
      </header>
      {project.description && <p className="-mt-1 text-sm text-muted">{project.description}</p>}
      {entries.length === 0 ? (
        <Empty
          icon="layers"
          title="No environment yet"
          action={
            mayAdd && (
              <Button icon="plus" onClick={() => setAdding(true)}>
                New environment
              </Button>
            )
          }
        >
          An environment is one running copy of the project: production, staging, a preview.
        </Empty>
      ) : (
        <div className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,24rem),1fr))] gap-3">
          {sorted.map((entry) => (
            <EnvironmentCard key={entry.environment.id} entry={entry} near={near} />
          ))}
        </div>
      )}
      <NewEnvironment project={project} open={adding} onClose={() => setAdding(false)} />
    </section>
  );
}
