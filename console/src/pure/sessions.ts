/** Terminals beside services, as the audit log keeps them: when one was opened, by whom, and why it ended. */

import { parsed } from "@/pure/diff";

export interface ShellSession {
  id: string;
  who: string;
  opened?: string | undefined;
  ended?: string | undefined;
  command: string;
  reason: string;
}

interface Told {
  session_id?: string;
  verb?: string;
  command?: string;
  reason?: string;
}

/** Newest first; events of one session belong together. */
export function shellSessions(events: { timestamp: string; triggered_by?: string; change?: string }[]): ShellSession[] {
  const found = new Map<string, ShellSession>();
  for (const { timestamp, triggered_by = "", change } of events) {
    const told = parsed(change) as Told;
    if (!told.session_id) continue;
    const session = found.get(told.session_id) ?? { id: told.session_id, who: triggered_by, command: "", reason: "" };
    if (told.verb === "opened") session.opened = timestamp;
    else session.ended = timestamp;
    session.command ||= told.command ?? "";
    if (told.verb !== "opened") session.reason = told.reason ?? "";
    found.set(told.session_id, session);
  }
  return [...found.values()];
}
