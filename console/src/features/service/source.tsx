/** Branch and commit that a service runs, and what the commit says. */

import { useQuery } from "@tanstack/react-query";

import { commitsQuery } from "@/api/deployments";
import type { Commit, Service } from "@/api/types";
import { useStates } from "@/live/hooks";
import { shortCommit, subject } from "@/pure/format";
import { Icon } from "@/ui/icons";

/** The commit that runs now, else the one deployed last; with its message as far as it is known. */
export function useCommit(service: Service): { id: string; commit: Commit | undefined } {
  const environmentId = service.environment.id;
  const commits = useQuery({ ...commitsQuery(environmentId), enabled: Boolean(service.git_repository) }).data;
  const running = useStates(environmentId)[service.id]?.processes?.find((process) => process.commit)?.commit;
  const id = running ?? commits?.deployed[service.id] ?? service.git_repository?.deployed_commit_id ?? "";
  return { id, commit: commits?.known[id] };
}

export function Source({ service }: { service: Service }) {
  const git = service.git_repository;
  const { id, commit } = useCommit(service);
  if (!git) return <p className="truncate text-xs text-muted">{service.description}</p>;
  return (
    <p className="flex min-w-0 items-center gap-1 text-xs text-muted">
      <Icon name="branch" size={12} />
      <span className="max-w-28 shrink-0 truncate">{git.branch ?? "main"}</span>
      {id ? (
        <>
          <code className="num ml-1 font-mono text-2xs">{shortCommit(id)}</code>
          <span className="min-w-0 truncate">{subject(commit?.message)}</span>
        </>
      ) : (
        <span className="ml-1">nothing deployed yet</span>
      )}
    </p>
  );
}
