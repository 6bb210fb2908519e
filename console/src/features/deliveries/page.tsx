/** What came to a service's webhook: each delivery with what was decided, and why. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { type Delivery, deliveriesQuery, replay } from "@/api/deliveries";
import { gitLinkQuery } from "@/api/services";
import { useRights } from "@/features/rights";
import { useService, useServicePlace } from "@/features/service/page";
import { shortCommit } from "@/pure/format";
import { sentence, type Tone } from "@/pure/states";
import { Button } from "@/ui/button";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Badge } from "@/ui/status";
import { Ago } from "@/ui/time";
import { say, sayProblem } from "@/ui/toasts";

const TONE: Record<string, Tone> = { accepted: "good", ignored: "idle", refused: "bad", put_off: "warn" };

export function ServiceDeliveries() {
  const { serviceId } = useServicePlace();
  const { service } = useService();
  const link = useQuery({ ...gitLinkQuery(serviceId), enabled: Boolean(service?.git_repository) });
  const linkId = link.data?.url.replace(/\/+$/, "").split("/").at(-1) ?? "";
  const deliveries = useQuery({ ...deliveriesQuery(linkId), enabled: linkId !== "" });
  const problem = link.error ?? deliveries.error;
  if (service && !service.git_repository) return <Empty icon="branch" title="Nothing is delivered here">Only services that are built from a Git repository have a webhook.</Empty>;
  if (problem) return <ProblemNote error={problem} retry={() => void deliveries.refetch()} />;
  if (!deliveries.data) return <Loading lines={5} className="panel p-5" />;
  if (deliveries.data.length === 0) return <Empty icon="branch" title="Nothing has come yet">After the first push, what the Git provider delivered stands here, with what was made of it.</Empty>;
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm text-muted">What the repository told of itself, newest first, and what was made of it.</p>
      <ul className="panel" aria-label="Deliveries">
        {deliveries.data.map((delivery) => (
          <DeliveryRow key={delivery.id} delivery={delivery} linkId={linkId} />
        ))}
      </ul>
    </div>
  );
}

function DeliveryRow({ delivery, linkId }: { delivery: Delivery; linkId: string }) {
  const mayDeploy = useRights().may("deploy");
  const client = useQueryClient();
  const again = useMutation({
    mutationFn: () => replay(delivery.id),
    onSuccess: () => say("Sent once more"),
    onError: sayProblem,
    onSettled: () => client.invalidateQueries({ queryKey: ["deliveries", linkId] }),
  });
  return (
    <li className="flex flex-wrap items-start gap-x-3 gap-y-1 border-b border-line px-4 py-2 text-sm last:border-0">
      <Badge tone={TONE[delivery.outcome] ?? "idle"}>{sentence(delivery.outcome)}</Badge>
      <div className="min-w-0 flex-1">
        <p className="break-words">
          <span className="font-medium">{sentence(delivery.event || "unknown event")}</span> <span className="text-muted">{delivery.ref.replace(/^refs\/(heads|tags)\//, "")}</span>{" "}
          {delivery.after && <code className="font-mono text-xs">{shortCommit(delivery.after)}</code>}
        </p>
        {delivery.reason && <p className={delivery.outcome === "refused" ? "break-words text-bad" : "break-words text-muted"}>{delivery.reason}</p>}
        <p className="flex flex-wrap gap-x-2 text-xs text-muted">
          <span>
            {delivery.provider}, {delivery.verified ? "signature proven" : "signature not proven"}
          </span>
          <span className="num">
            answered {delivery.status} in {delivery.milliseconds.toFixed(1)} ms
          </span>
          <span className="font-mono text-2xs break-all">{delivery.delivery_id}</span>
        </p>
      </div>
      <span className="text-xs text-muted">
        <Ago at={delivery.received_at} />
      </span>
      {mayDeploy && delivery.replayable && (
        <Button small icon="restart" busy={again.isPending} onClick={() => again.mutate()}>
          Send again
        </Button>
      )}
    </li>
  );
}
