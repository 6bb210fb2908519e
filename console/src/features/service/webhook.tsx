/** What to enter at the Git provider, so that a push there arrives here. The secret is shown once. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { gitLinkQuery, rotateGitSecret, showGitSecret } from "@/api/services";
import type { Service } from "@/api/types";
import { useRights } from "@/features/rights";
import { Button } from "@/ui/button";
import { Commands } from "@/ui/copy";
import { Loading, ProblemNote } from "@/ui/notes";

export function Webhook({ service }: { service: Service }) {
  const link = useQuery(gitLinkQuery(service.id));
  const client = useQueryClient();
  const mayChange = useRights().may("manage");
  const wasShown = link.data?.secret_was_shown ?? false;
  const reveal = useMutation({
    mutationFn: () => (wasShown ? rotateGitSecret(service.id) : showGitSecret(service.id)),
    onSuccess: () => client.invalidateQueries({ queryKey: gitLinkQuery(service.id).queryKey }),
  });
  if (link.error) return <ProblemNote error={link.error} />;
  if (!link.data) return <Loading lines={2} />;
  return (
    <div className="flex flex-col gap-2 text-sm">
      <p className="text-muted">Add a webhook for push events to the repository, with content type application/json, this address, and the secret.</p>
      <Commands lines={[link.data.url]} prompt={false} />
      {reveal.data ? (
        <>
          <p className="text-xs text-muted">The secret; it is not shown again.</p>
          <Commands lines={[reveal.data.secret]} prompt={false} />
        </>
      ) : mayChange && (
        <Button small className="self-start" busy={reveal.isPending} onClick={() => reveal.mutate()}>
          {wasShown ? "Make a new secret" : "Show the secret"}
        </Button>
      )}
      {reveal.error && <ProblemNote error={reveal.error} />}
    </div>
  );
}
