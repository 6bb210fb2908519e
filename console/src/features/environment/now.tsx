/** What is being deployed now, or why the last deployment failed. */

import { Link } from "@tanstack/react-router";

import type { Deployment } from "@/api/types";
import { useCancel } from "@/features/actions";
import { failedStep, progress } from "@/pure/steps";
import { count } from "@/pure/format";
import { deploymentWord, stepKind, triggerWords } from "@/pure/states";
import { useRights } from "@/features/rights";
import { Button, buttonClass } from "@/ui/button";
import { Mark } from "@/ui/status";
import { Elapsed } from "@/ui/time";

export function DeploymentNow({ deployments }: { deployments: Deployment[] }) {
  const moving = deployments.filter((deployment) => deploymentWord(deployment.status).moving);
  const running = moving.at(-1);
  if (running) return <Underway deployment={running} waiting={moving.length - 1} />;
  const [last] = deployments;
  return last && deploymentWord(last.status).tone === "bad" ? <Failed deployment={last} /> : null;
}

function Underway({ deployment, waiting }: { deployment: Deployment; waiting: number }) {
  const cancel = useCancel();
  const mayDeploy = useRights().may("deploy");
  const { done, total, current } = progress(deployment);
  const word = deploymentWord(deployment.status);
  return (
    <section aria-label="Deployment underway" className="panel flex flex-col gap-2 border-busy/40 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1.5 text-sm">
        <Mark word={word} />
        <span className="font-medium">
          {word.label} #{deployment.number}
        </span>
        <span className="min-w-0 truncate text-muted">
          {current ? `${stepKind(current.kind)} ${current.service_name}` : deployment.reason || triggerWords(deployment.trigger ?? "")}
        </span>
        <span className="text-muted">
          <Elapsed from={deployment.started_at ?? deployment.created_at} />
        </span>
        <span className="ml-auto flex items-center gap-1.5">
          <Link
            to="/environment/$environmentId/deployment/$deploymentId"
            params={{ environmentId: deployment.environment_id, deploymentId: deployment.id }}
            className={buttonClass("secondary")}
          >
            Watch
          </Link>
          {mayDeploy && <Button look="ghost" onClick={() => void cancel(deployment)}>
            {deployment.status === "CANCELING" ? "Force cancel" : "Cancel"}
          </Button>}
        </span>
      </div>
      <Progress done={done} total={total} />
      {waiting > 0 && <p className="text-xs text-muted">{count(waiting, "more deployment")} waiting behind it</p>}
    </section>
  );
}

export function Progress({ done, total }: { done: number; total: number }) {
  return (
    <div role="progressbar" aria-label="Steps done" aria-valuemin={0} aria-valuemax={total} aria-valuenow={done} className="h-1 overflow-hidden rounded-full bg-line">
      <div className="h-full rounded-full bg-busy transition-[width] duration-300" style={{ width: `${total === 0 ? 0 : Math.max(3, (done / total) * 100)}%` }} />
    </div>
  );
}

function Failed({ deployment }: { deployment: Deployment }) {
  const step = failedStep(deployment);
  return (
    <section aria-label="The last deployment failed" className="flex flex-wrap items-start gap-x-3 gap-y-2 rounded-lg border border-bad/30 bg-bad-soft px-4 py-3 text-sm">
      <span className="mt-0.5">
        <Mark word={deploymentWord(deployment.status)} />
      </span>
      <div className="min-w-0 flex-1 basis-72">
        <p className="font-medium text-bad">
          {deploymentWord(deployment.status).label}: #{deployment.number}
        </p>
        <p className="break-words">{step?.message || deployment.reason || "See its steps for the reason."}</p>
      </div>
      <Link
        to="/environment/$environmentId/deployment/$deploymentId"
        params={{ environmentId: deployment.environment_id, deploymentId: deployment.id }}
        className={buttonClass("secondary")}
      >
        See why
      </Link>
    </section>
  );
}
