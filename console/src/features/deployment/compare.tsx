/** Two deployments of an environment side by side: commits, variables by name, steps and how long they took. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { type AuditEvent, newestEventsQuery } from "@/api/audit";
import { commitsQuery, deploymentQuery, deploymentsQuery } from "@/api/deployments";
import { servicesQuery } from "@/api/environments";
import type { Commit, Deployment, Step } from "@/api/types";
import { useEnvironmentLive } from "@/live/hooks";
import { eventVerb, targetWords } from "@/pure/audit";
import { commitPairs, stepPairs, tookMs } from "@/pure/compare";
import { parsed } from "@/pure/diff";
import { dateTime, duration, shortCommit, subject } from "@/pure/format";
import { deploymentWord, stepKind, stepWord } from "@/pure/states";
import { cx } from "@/ui/cx";
import { Select } from "@/ui/form";
import { Icon } from "@/ui/icons";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Deployed, Mark } from "@/ui/status";
import { Ago } from "@/ui/time";

const PAGE = "/signed-in/environment/$environmentId/compare";

export function ComparePage() {
  const { environmentId } = useParams({ from: PAGE });
  const search = useSearch({ from: PAGE });
  const deployments = useQuery(deploymentsQuery(environmentId));
  useEnvironmentLive(environmentId);
  const listed = deployments.data ?? [];
  const after = search.after ?? listed[0]?.id;
  const before = search.before ?? listed[listed.findIndex(({ id }) => id === after) + 1]?.id;
  const one = useQuery({ ...deploymentQuery(before ?? ""), enabled: Boolean(before) });
  const other = useQuery({ ...deploymentQuery(after ?? ""), enabled: Boolean(after) });
  const problem = deployments.error ?? one.error ?? other.error;
  return (
    <div className="flex flex-col gap-4">
      <header className="flex flex-wrap items-center gap-2">
        <Link to="/environment/$environmentId/deployments" params={{ environmentId }} aria-label="All deployments" className="-ml-2 flex size-8 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text">
          <Icon name="left" />
        </Link>
        <h1 className="mr-2 text-xl font-semibold">Compare deployments</h1>
        <Choice label="Earlier deployment" deployments={listed} id={before} name="before" />
        <span className="text-muted">with</span>
        <Choice label="Later deployment" deployments={listed} id={after} name="after" />
      </header>
      {problem && <ProblemNote error={problem} />}
      {deployments.isPending && <Loading lines={6} className="panel p-5" />}
      {deployments.data && listed.length < 2 && <Empty icon="rocket" title="There is nothing to compare yet">After a second deployment the two can be held against each other.</Empty>}
      {one.data && other.data && <Comparison one={one.data} other={other.data} />}
    </div>
  );
}

function Choice({ label, deployments, id, name }: { label: string; deployments: Deployment[]; id: string | undefined; name: "before" | "after" }) {
  const navigate = useNavigate();
  const search = useSearch({ from: PAGE });
  return (
    <Select aria-label={label} className="num !w-auto" value={id ?? ""} onChange={(event) => void navigate({ to: ".", search: { ...search, [name]: event.target.value }, replace: true })}>
      {deployments.map((each) => (
        <option key={each.id} value={each.id}>
          #{each.number} {deploymentWord(each.status).label}, {dateTime(each.created_at)}
        </option>
      ))}
    </Select>
  );
}

const Box = ({ title, hint, children }: { title: string; hint?: string; children: ReactNode }) => (
  <section className="panel" aria-label={title}>
    <header className="border-b border-line px-4 py-2">
      <h2 className="text-sm font-semibold">{title}</h2>
      {hint && <p className="text-xs text-muted">{hint}</p>}
    </header>
    {children}
  </section>
);

function Comparison({ one, other }: { one: Deployment; other: Deployment }) {
  const services = useQuery(servicesQuery(other.environment_id)).data ?? [];
  const known = useQuery(commitsQuery(other.environment_id)).data?.known ?? {};
  const pairs = commitPairs(one, other, new Map(services.map(({ id, name }) => [id, name])));
  const steps = stepPairs(one, other);
  const longest = Math.max(1, ...steps.flatMap(({ before, after }) => [tookMs(before) ?? 0, tookMs(after) ?? 0]));
  return (
    <>
      <div className="grid grid-cols-2 gap-4 max-sm:grid-cols-1">
        <Side deployment={one} />
        <Side deployment={other} against={tookMs(one)} />
      </div>
      <Box title="Commits">
        {pairs.length === 0 && <p className="px-4 py-3 text-sm text-muted">Neither brought a commit.</p>}
        <ul>
          {pairs.map(({ serviceId, name, before, after }) => (
            <li key={serviceId} className="grid grid-cols-[minmax(0,8rem)_minmax(0,1fr)_minmax(0,1fr)] items-baseline gap-3 border-b border-line px-4 py-2 text-sm last:border-0 max-sm:grid-cols-1 max-sm:gap-0.5">
              <span className="truncate font-medium">{name}</span>
              <CommitText id={before} known={known} />
              {before === after ? <span className="text-muted">the same</span> : <CommitText id={after} known={known} />}
            </li>
          ))}
        </ul>
      </Box>
      <Variables one={one} other={other} />
      <Box title="Steps">
        <ul>
          {steps.map(({ key, kind, name, before, after }) => (
            <li key={key} className="grid grid-cols-[minmax(0,8rem)_minmax(0,1fr)_minmax(0,1fr)] items-center gap-3 border-b border-line px-4 py-2 text-sm last:border-0 max-sm:grid-cols-1 max-sm:gap-1">
              <span className="truncate">
                <span className="text-muted">{stepKind(kind)}</span> <span className="font-medium">{name}</span>
              </span>
              <StepCell step={before} deployment={one} longest={longest} />
              <StepCell step={after} deployment={other} longest={longest} against={tookMs(before)} />
            </li>
          ))}
        </ul>
      </Box>
    </>
  );
}

function Side({ deployment, against }: { deployment: Deployment; against?: number | undefined }) {
  const took = tookMs(deployment);
  return (
    <div className="panel flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5 text-sm">
      <Link to="/environment/$environmentId/deployment/$deploymentId" params={{ environmentId: deployment.environment_id, deploymentId: deployment.id }} className="num font-semibold hover:underline">
        #{deployment.number}
      </Link>
      <Deployed word={deploymentWord(deployment.status)} />
      <span className="text-muted">
        <Ago at={deployment.created_at} />
        {deployment.triggered_by && <>, {deployment.triggered_by}</>}
      </span>
      <span className="num ml-auto">
        {took === undefined ? "–" : duration(took)} <Difference took={took} against={against} />
      </span>
    </div>
  );
}

function Difference({ took, against }: { took: number | undefined; against: number | undefined }) {
  if (took === undefined || against === undefined || Math.abs(took - against) < 1000) return null;
  const isSlower = took > against;
  return (
    <span className={cx("text-xs", isSlower ? "text-warn" : "text-good")}>
      {duration(Math.abs(took - against))} {isSlower ? "slower" : "faster"}
    </span>
  );
}

function CommitText({ id, known }: { id: string | undefined; known: Record<string, Commit> }) {
  if (!id) return <span className="text-muted">not in it</span>;
  return (
    <span className="min-w-0 truncate">
      <code className="font-mono text-xs">{shortCommit(id)}</code> {subject(known[id]?.message)}
    </span>
  );
}

function StepCell({ step, deployment, longest, against }: { step: Step | undefined; deployment: Deployment; longest: number; against?: number | undefined }) {
  if (!step) return <span className="text-muted">not in it</span>;
  const took = tookMs(step);
  return (
    <Link
      to="/environment/$environmentId/deployment/$deploymentId"
      params={{ environmentId: deployment.environment_id, deploymentId: deployment.id }}
      search={{ step: step.id }}
      className="flex min-w-0 flex-col gap-1 rounded-md hover:bg-hover"
    >
      <span className="flex flex-wrap items-center gap-x-2">
        <Mark word={stepWord(step.state)} size={13} />
        <span className="min-w-0 truncate">{stepWord(step.state).label}</span>
        {took !== undefined && <span className="num text-xs text-muted">{duration(took)}</span>}
        <Difference took={took} against={against} />
      </span>
      <span aria-hidden className="h-1 rounded-full bg-line">
        {took !== undefined && <span className="block h-1 rounded-full bg-accent" style={{ width: `${Math.max(1, (took / longest) * 100)}%` }} />}
      </span>
    </Link>
  );
}

/** Deployments keep no list of variables; what changed between the two stands in the audit log. */
function Variables({ one, other }: { one: Deployment; other: Deployment }) {
  const [from, to] = [one, other].map((each) => each.started_at ?? each.created_at).sort();
  const span = { fromTimestamp: from, toTimestamp: to };
  const plain = useQuery(newestEventsQuery(other.organization_id, { ...span, subTargetType: "VARIABLE" }));
  const secret = useQuery(newestEventsQuery(other.organization_id, { ...span, subTargetType: "SECRET" }));
  const events = [...(plain.data ?? []), ...(secret.data ?? [])].filter((event) => concernsEnvironment(event, other)).sort((a, b) => b.timestamp.localeCompare(a.timestamp));
  return (
    <Box title="Variables" hint="Changed between the two, as the audit log has it; values are on the pages of the variables.">
      {(plain.error ?? secret.error) && <ProblemNote error={plain.error ?? secret.error} className="m-3" />}
      {(plain.isPending || secret.isPending) && <Loading lines={2} className="p-4" />}
      {plain.data && secret.data && events.length === 0 && <p className="px-4 py-3 text-sm text-muted">None changed.</p>}
      <ul>
        {events.map((event) => (
          <li key={event.id} className="flex flex-wrap items-baseline gap-x-2 border-b border-line px-4 py-1.5 text-sm last:border-0">
            <code className="font-mono text-xs font-medium break-all">{keyOf(event)}</code>
            <span className="text-muted">
              {verbOf(event)} in the {targetWords(event.target_type, undefined)} {event.target_name}
            </span>
            <span className="ml-auto text-xs text-muted">
              {event.triggered_by}, <Ago at={event.timestamp} />
            </span>
          </li>
        ))}
      </ul>
    </Box>
  );
}

const concernsEnvironment = (event: AuditEvent, { environment_id, project_id }: Deployment): boolean =>
  event.environment_id ? event.environment_id === environment_id : event.target_id === project_id;

const keyOf = (event: AuditEvent): string => (parsed(event.change) as { key?: string }).key ?? (parsed(event.original_change) as { key?: string }).key ?? "a variable";

/** Written as a change of where the variable stands: what came or went shows in before and after. */
function verbOf(event: AuditEvent): string {
  if (event.original_change === "{}") return "added";
  return event.original_change === event.change ? "deleted" : eventVerb(event.event_type);
}
