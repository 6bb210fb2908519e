/** Who had a terminal here: from the audit log, for everybody who may read it. */

import { useQuery } from "@tanstack/react-query";

import { newestEventsQuery } from "@/api/audit";
import { shellSessions } from "@/pure/sessions";
import { ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";
import { Ago, Elapsed } from "@/ui/time";

export function PastSessions({ organizationId, serviceId }: { organizationId: string; serviceId: string }) {
  const events = useQuery({ ...newestEventsQuery(organizationId, { eventType: "SHELL", targetId: serviceId }), refetchInterval: 15_000 });
  const sessions = shellSessions(events.data ?? []);
  return (
    <details className="panel mt-4">
      <summary className="px-4 py-2 text-sm font-semibold">
        Sessions <span className="font-normal text-muted">{events.data ? sessions.length : ""}</span>
      </summary>
      {events.error && <ProblemNote error={events.error} className="m-3" />}
      {events.data && sessions.length === 0 && <p className="border-t border-line px-4 py-3 text-sm text-muted">Nobody had a terminal here yet.</p>}
      <ul aria-label="Sessions">
        {sessions.map((session) => (
          <li key={session.id} className="flex flex-wrap items-baseline gap-x-3 border-t border-line px-4 py-1.5 text-sm">
            <span className="min-w-0 font-medium break-all">{session.who}</span>
            {session.command && <code className="font-mono text-xs break-all">{session.command}</code>}
            {session.ended ? <span className="text-muted">{session.reason || "ended"}</span> : <Badge tone="busy">open</Badge>}
            <span className="ml-auto flex gap-3 text-xs text-muted">
              {session.opened && session.ended && <Elapsed from={session.opened} to={session.ended} />}
              <Ago at={session.opened ?? session.ended} />
            </span>
          </li>
        ))}
      </ul>
    </details>
  );
}
