/** What a cluster's programs said of themselves when they connected, as the audit log keeps it. */

import { parsed } from "@/pure/diff";

export interface Greeting {
  at: string;
  version: string;
  capabilities: string[];
}

/** The newest of each; events come newest first. */
export function greetings(events: { timestamp: string; change?: string }[]): { engine?: Greeting; agent?: Greeting } {
  const found: { engine?: Greeting; agent?: Greeting } = {};
  for (const { timestamp, change } of events) {
    const said = parsed(change) as { sender?: string; version?: string; capabilities?: string[] };
    if (said.sender !== "engine" && said.sender !== "agent") continue;
    found[said.sender] ??= { at: timestamp, version: said.version ?? "", capabilities: said.capabilities ?? [] };
  }
  return found;
}
