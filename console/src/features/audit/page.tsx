/** The audit log: who changed what, from where, with what stood before and after. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { type AuditEvent, type AuditFilter, auditQuery } from "@/api/audit";
import { eventVerb, FILTERED, originName, ORIGINS, TARGETS, targetWords } from "@/pure/audit";
import { fieldChanges, parsed } from "@/pure/diff";
import { sentence } from "@/pure/states";
import { Button } from "@/ui/button";
import { Input, Select } from "@/ui/form";
import { Icon } from "@/ui/icons";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";
import { Ago } from "@/ui/time";

const PAGE = "/signed-in/organization/$organizationId/audit";

const SPANS: [string, string][] = [
  ["1", "Last hour"],
  ["24", "Last day"],
  ["168", "Last week"],
];
const HOUR_MS = 3_600_000;

export function AuditPage() {
  const { organizationId } = useParams({ from: PAGE });
  const { hours, ...asked } = useSearch({ from: PAGE });
  // Fixed when it is chosen: a filter that moves with the clock would be asked for without end.
  const [since] = useState<{ hours?: string; at?: string }>({});
  if (since.hours !== hours) Object.assign(since, { hours, at: hours ? new Date(Date.now() - Number(hours) * HOUR_MS).toISOString() : undefined });
  const filter: AuditFilter = { ...asked, fromTimestamp: since.at };
  const events = useInfiniteQuery(auditQuery(organizationId, filter));
  const listed = events.data?.pages.flatMap((page) => page.events ?? []) ?? [];
  return (
    <div className="mx-auto flex w-full max-w-4xl flex-col gap-4">
      <header>
        <h1 className="text-xl font-semibold">Audit log</h1>
        <p className="text-sm text-muted">Everything that was changed or asked for, by whom, and from where. Nobody can change it; secrets don't stand in it.</p>
      </header>
      <Filters />
      {events.error && <ProblemNote error={events.error} retry={() => void events.refetch()} />}
      {events.isPending && <Loading lines={8} className="panel p-5" />}
      {events.data && listed.length === 0 && <Empty icon="search" title="Nothing passes this filter" />}
      {listed.length > 0 && (
        <ul className="panel" aria-label="Events">
          {listed.map((event) => (
            <EventRow key={event.id} event={event} />
          ))}
        </ul>
      )}
      {events.hasNextPage && (
        <Button className="self-center" busy={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
          Older events
        </Button>
      )}
    </div>
  );
}

function Filters() {
  const search = useSearch({ from: PAGE });
  const navigate = useNavigate();
  const [who, setWho] = useState(search.triggeredBy ?? "");
  const change = (next: Partial<typeof search>): void => void navigate({ to: ".", search: { ...search, ...next }, replace: true });
  const isFiltered = Object.values(search).some(Boolean);
  const choose = (label: string, name: keyof typeof search, options: [string, string][], all: string) => (
    <Select aria-label={label} className="!w-auto" value={search[name] ?? ""} onChange={(event) => change({ [name]: event.target.value || undefined })}>
      <option value="">{all}</option>
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </Select>
  );
  return (
    <form
      role="search"
      aria-label="Events"
      className="flex flex-wrap gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        change({ triggeredBy: who.trim() || undefined });
      }}
    >
      {choose("What happened", "eventType", FILTERED.map((type) => [type, sentence(eventVerb(type))]), "Anything")}
      {choose("To what", "targetType", TARGETS.map((type) => [type, sentence(targetWords(type, undefined))]), "to anything")}
      {choose("From where", "origin", ORIGINS, "from anywhere")}
      {choose("When", "hours", SPANS, "at any time")}
      <Input aria-label="By whom" placeholder="By whom (whole name)" className="!w-52" value={who} onChange={(event) => setWho(event.target.value)} onBlur={() => who.trim() !== (search.triggeredBy ?? "") && change({ triggeredBy: who.trim() || undefined })} />
      {isFiltered && (
        <Button
          look="ghost"
          icon="cross"
          onClick={() => {
            setWho("");
            void navigate({ to: ".", search: {}, replace: true });
          }}
        >
          All events
        </Button>
      )}
    </form>
  );
}

function EventRow({ event }: { event: AuditEvent }) {
  const [open, setOpen] = useState(false);
  const { key } = parsed(event.change) as { key?: string };
  const isGone = event.event_type === "DELETE";
  const changes = fieldChanges(parsed(event.original_change), isGone ? {} : parsed(event.change));
  return (
    <li className="border-b border-line px-4 py-2 last:border-0">
      <div className="flex items-start gap-3">
        <button
          type="button"
          aria-expanded={open}
          aria-label={`What changed: ${event.target_name ?? ""} ${eventVerb(event.event_type)}`}
          disabled={changes.length === 0}
          onClick={() => setOpen(!open)}
          className="-ml-1.5 flex size-6 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text disabled:invisible"
        >
          <Icon name={open ? "down" : "right"} size={14} />
        </button>
        <div className="min-w-0 flex-1 text-sm">
          <p className="break-words">
            <span className="font-medium">{event.target_name || "–"}</span> {key && <code className="font-mono text-xs">{key}</code>} <span className="text-muted">{targetWords(event.target_type, event.sub_target_type)}</span> {eventVerb(event.event_type)}
          </p>
          <p className="flex flex-wrap gap-x-2 text-xs text-muted">
            <span className="break-all">{event.triggered_by || "the platform"}</span>
            {event.environment_id && event.environment_name && (
              <Link to="/environment/$environmentId" params={{ environmentId: event.environment_id }} className="hover:underline">
                {event.project_name} / {event.environment_name}
              </Link>
            )}
            {!open && changes.length > 0 && <span className="min-w-0 truncate">{changes.slice(0, 4).map(({ name }) => name).join(", ")}</span>}
          </p>
        </div>
        <Badge>{originName(event.origin)}</Badge>
        <span className="w-24 shrink-0 text-right text-xs text-muted max-sm:w-auto">
          <Ago at={event.timestamp} />
        </span>
      </div>
      {open && <Changes changes={changes} />}
    </li>
  );
}

function Changes({ changes }: { changes: ReturnType<typeof fieldChanges> }) {
  return (
    <div className="mt-2 ml-7 overflow-x-auto rounded-md border border-line max-sm:ml-0" tabIndex={0} role="region" aria-label="Before and after">
      <table className="w-full text-left text-xs">
        <thead className="bg-sunken text-muted">
          <tr>
            <th scope="col" className="px-3 py-1 font-medium">
              Field
            </th>
            <th scope="col" className="px-3 py-1 font-medium">
              Before
            </th>
            <th scope="col" className="px-3 py-1 font-medium">
              After
            </th>
          </tr>
        </thead>
        <tbody className="align-top font-mono">
          {changes.map(({ name, before, after }) => (
            <tr key={name} className="border-t border-line">
              <th scope="row" className="px-3 py-1 font-normal break-all">
                {name}
              </th>
              <td className="max-w-64 px-3 py-1 break-all">{before === undefined ? <span className="text-muted">–</span> : <del className="bg-bad-soft text-bad no-underline">{before}</del>}</td>
              <td className="max-w-64 px-3 py-1 break-all">{after === undefined ? <span className="text-muted">–</span> : <ins className="bg-good-soft text-good no-underline">{after}</ins>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
