/** The commands that bring code to a service whose repository Slipway keeps. */

import { Link } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";

import { environmentQuery } from "@/api/environments";
import { projectQuery } from "@/api/organizations";
import type { Service } from "@/api/types";
import { quoted } from "@/pure/cli";
import { Commands } from "@/ui/copy";

export const isBuiltIn = (service: Service): boolean =>
  service.git_repository?.provider === "SLIPWAY" || (service.git_repository?.url.startsWith(`${location.origin}/git/`) ?? false);

export function pushCommands(url: string, branch: string, short: boolean): string[] {
  const push = `git push slipway HEAD:${quoted(branch)}`;
  return short ? [push] : [`git remote add slipway ${quoted(url)}`, push];
}

export function PushCommands({ service, short = false }: { service: Service; short?: boolean }) {
  const git = service.git_repository;
  const environment = useQuery(environmentQuery(service.environment.id)).data;
  const project = useQuery({ ...projectQuery(environment?.project.id ?? ""), enabled: Boolean(environment) }).data;
  if (!git) return null;
  return (
    <div className="flex flex-col gap-2 text-sm">
      {!short && <p className="text-muted">In the folder of your repository:</p>}
      <Commands lines={pushCommands(git.url, git.branch || "main", short)} />
      {!short && (
        <p className="text-muted">
          git asks for a user name (any, for example <code className="font-mono text-xs text-text">slipway</code>) and a password: that is an{" "}
          {project ? (
            <Link to="/organization/$organizationId/tokens" params={{ organizationId: project.organization.id }} className="font-medium text-accent hover:underline">
              API token
            </Link>
          ) : (
            "API token"
          )}
          . The push returns at once; what it deploys appears here by itself.
        </p>
      )}
    </div>
  );
}
