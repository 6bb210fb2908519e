/** The releases of a service that can be put back without building again. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { commitsQuery, type Release, releasesQuery } from "@/api/deployments";
import type { Service } from "@/api/types";
import { useRollBack } from "@/features/actions";
import { useRights } from "@/features/rights";
import { shortCommit, subject } from "@/pure/format";
import { Button } from "@/ui/button";
import { Badge } from "@/ui/status";
import { Ago } from "@/ui/time";

export function Releases({ service }: { service: Service }) {
  const releases = useQuery(releasesQuery(service.id)).data ?? [];
  const commits = useQuery(commitsQuery(service.environment.id)).data;
  const rollBack = useRollBack();
  const mayDeploy = useRights().may("deploy");
  const navigate = useNavigate();
  if (releases.length < 2) return null;
  const goBack = async ({ deployment_id, commit }: Release): Promise<void> => {
    const made = await rollBack({ deploymentId: deployment_id, environmentId: service.environment.id, name: shortCommit(commit) }, service);
    if (made) await navigate({ to: "/environment/$environmentId/deployment/$deploymentId", params: { environmentId: made.environment_id, deploymentId: made.id } });
  };
  return (
    <section className="panel" aria-label="Releases">
      <h2 className="px-4 py-3 text-sm font-semibold">Releases kept</h2>
      <ul>
        {releases.slice(0, 6).map((release) => (
          <li key={release.id} className="flex items-center gap-3 border-t border-line px-4 py-2 text-sm">
            <span className="min-w-0 flex-1">
              <span className="block truncate">
                <code className="font-mono text-xs">{shortCommit(release.commit)}</code> {subject(commits?.known[release.commit]?.message)}
              </span>
              <span className="text-xs text-muted">
                <Ago at={release.created_at} />
              </span>
            </span>
            {release.in_place ? (
              <Badge tone="good">in place</Badge>
            ) : mayDeploy && (
              <Button small onClick={() => void goBack(release)} aria-label={`Roll back to ${shortCommit(release.commit)}`}>
                Roll back
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
