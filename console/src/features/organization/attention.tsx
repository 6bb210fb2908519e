/** What is broken now, in words, before anything else. Nothing at all when nothing is. */

import { Link } from "@tanstack/react-router";

import type { Project } from "@/api/types";
import type { Entry } from "@/features/organization/page";
import { count } from "@/pure/format";
import { Dot, Mark } from "@/ui/status";

const SHOWN = 5;

export function Attention({ entries, projects }: { entries: Entry[]; projects: Project[] }) {
  const broken = entries.flatMap(({ environment, summary }) =>
    summary.services
      .filter(({ running, deployed }) => running?.tone === "bad" || running?.tone === "warn" || deployed.tone === "bad")
      .map((service) => ({ environment, ...service })),
  );
  if (broken.length === 0) return null;
  return (
    <section aria-label="Needs attention" className="rounded-lg border border-bad/30 bg-bad-soft px-4 py-3">
      <h2 className="text-sm font-semibold text-bad">{count(broken.length, "service")} {broken.length === 1 ? "needs" : "need"} attention</h2>
      <ul className="mt-1.5 flex flex-col gap-1">
        {broken.slice(0, SHOWN).map(({ environment, service, running, deployed, reason }) => {
          const down = running && running.tone !== "good" && running.tone !== "busy" && running.tone !== "idle";
          return (
            <li key={service.id} className="flex flex-wrap items-center gap-x-2 text-sm">
              {down ? <Dot word={running} /> : <Mark word={deployed} size={13} />}
              <Link
                to={down ? "/environment/$environmentId/service/$serviceId/logs" : "/environment/$environmentId"}
                params={{ environmentId: environment.id, serviceId: service.id }}
                className="font-medium underline-offset-2 hover:underline"
              >
                {service.name}
              </Link>
              <span className="text-muted">
                {projects.find((project) => project.id === environment.project.id)?.name} / {environment.name}
              </span>
              <span className="min-w-0 break-words">{down ? reason || running.label : `${deployed.label}${running?.tone === "good" ? "; the version before keeps serving" : ""}`}</span>
            </li>
          );
        })}
      </ul>
      {broken.length > SHOWN && <p className="mt-1 text-xs text-muted">and {broken.length - SHOWN} more below</p>}
    </section>
  );
}
