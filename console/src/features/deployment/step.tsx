/** One step: what it does, why it failed, and its log. */

import { Link } from "@tanstack/react-router";
import { useMemo } from "react";

import type { Step } from "@/api/types";
import { stepLog } from "@/features/logs/store";
import { LogView } from "@/features/logs/view";
import { stepKind, stepWord } from "@/pure/states";
import { Icon } from "@/ui/icons";
import { Mark } from "@/ui/status";
import { Elapsed } from "@/ui/time";

export function StepPanel({ step, environmentId, deploymentId }: { step: Step; environmentId: string; deploymentId: string }) {
  const word = stepWord(step.state);
  const name = `${stepKind(step.kind)} ${step.service_name}`.trim();
  return (
    <section aria-label={name} className="flex min-w-0 flex-col gap-3">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
        <span className="flex items-center gap-2 font-medium">
          <Mark word={word} /> {name}
        </span>
        <span className="text-muted">{word.label}</span>
        <span className="text-muted">
          <Elapsed from={step.started_at} to={step.ended_at} />
        </span>
        {step.service_id && (
          <Link
            to="/environment/$environmentId/service/$serviceId/logs"
            params={{ environmentId, serviceId: step.service_id }}
            className="ml-auto flex items-center gap-1 text-accent hover:underline"
          >
            Logs of the service <Icon name="right" size={13} />
          </Link>
        )}
      </header>
      {word.tone === "bad" && step.details && (
        <figure className="overflow-hidden rounded-lg border border-bad/30">
          <figcaption className="border-b border-bad/20 bg-bad-soft px-3 py-1.5 text-xs font-medium text-bad">The lines that explain it</figcaption>
          <pre className="max-h-60 overflow-auto bg-log px-3 py-2 font-mono text-xs leading-5 whitespace-pre-wrap break-words" tabIndex={0}>
            {step.details}
          </pre>
        </figure>
      )}
      {step.service_id ? (
        <StepLog step={step} deploymentId={deploymentId} name={name} />
      ) : (
        <p className="panel px-4 py-3 text-sm">{step.message}</p>
      )}
    </section>
  );
}

function StepLog({ step, deploymentId, name }: { step: Step; deploymentId: string; name: string }) {
  const { service_id, kind } = step;
  const store = useMemo(() => stepLog(service_id, kind, deploymentId), [service_id, kind, deploymentId]);
  return (
    <LogView
      store={store}
      stepId={step.id}
      name={`Log of ${name}`}
      className="h-[max(20rem,calc(100dvh-19rem))]"
      live={stepWord(step.state).moving}
      empty={step.started_at ? "This step wrote no lines." : "This step has not begun."}
    />
  );
}
