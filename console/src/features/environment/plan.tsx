/** What a deployment would do now, before it does it. */

import { useQuery } from "@tanstack/react-query";

import { type Plan, planQuery } from "@/api/deployments";
import { shortCommit } from "@/pure/format";
import { stageName, stepKind } from "@/pure/states";
import { Button } from "@/ui/button";
import { Dialog, DialogActions } from "@/ui/dialog";
import { Icon } from "@/ui/icons";
import { Loading, ProblemNote } from "@/ui/notes";

export function PlanDialog({ environmentId, onDeploy, onClose }: { environmentId: string; onDeploy: () => Promise<void>; onClose: () => void }) {
  const plan = useQuery(planQuery(environmentId));
  return (
    <Dialog open onClose={onClose} wide title="What a deployment would do now">
      {plan.error && <ProblemNote error={plan.error} />}
      {plan.isPending && <Loading />}
      {plan.data && <PlanView plan={plan.data} />}
      <DialogActions>
        <Button onClick={onClose}>Close</Button>
        <Button
          look="primary"
          icon="rocket"
          disabled={!plan.data || plan.data.steps.length === 0}
          onClick={() => {
            onClose();
            void onDeploy();
          }}
        >
          Deploy
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function PlanView({ plan }: { plan: Plan }) {
  const steps = plan.steps.filter((step) => step.service_name);
  return (
    <div className="flex flex-col gap-3 text-sm">
      {plan.problems.map((each) => (
        <p key={each.service_id} className="flex gap-2 rounded-md bg-bad-soft px-3 py-2">
          <Icon name="warning" className="mt-0.5 text-bad" />
          <span>
            <span className="font-medium">{each.service_name}</span>: {each.reason}
          </span>
        </p>
      ))}
      {steps.length === 0 ? (
        <p className="text-muted">Nothing: what runs is what should run.</p>
      ) : (
        <ol className="panel">
          {steps.map((step) => (
            <li key={step.kind + step.service_id} className="border-b border-line px-3 py-2 last:border-0">
              <span className="flex items-baseline gap-2">
                <span className="text-muted">{stepKind(step.kind)}</span>
                <span className="font-medium">{step.service_name}</span>
                {step.commit && <code className="font-mono text-xs text-muted">{shortCommit(step.commit)}</code>}
                <span className="ml-auto text-xs text-muted">{stageName(step.stage)}</span>
              </span>
              {step.changes.length > 0 && (
                <ul className="mt-1 flex flex-col gap-0.5 font-mono text-xs">
                  {step.changes.map((change, index) => (
                    <li key={index} className="flex flex-wrap gap-x-2 break-all">
                      <span className="text-muted">{change.name ? `${change.what} ${change.name}` : change.what}</span>
                      {shown(change.before) && <span className="text-bad line-through">{shown(change.before)}</span>}
                      {shown(change.after) && <span className="text-good">{shown(change.after)}</span>}
                    </li>
                  ))}
                </ul>
              )}
            </li>
          ))}
        </ol>
      )}
      {plan.unchanged.length > 0 && (
        <p className="text-muted">
          Left as they are: {plan.unchanged.map((each) => `${each.service_name} (${each.reason})`).join(", ")}.
        </p>
      )}
    </div>
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined || value === "") return "";
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, 200);
}
