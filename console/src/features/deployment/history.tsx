/** The deployments of an environment, newest first. */

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { deploymentsQuery } from "@/api/deployments";
import { servicesQuery } from "@/api/environments";
import type { Deployment } from "@/api/types";
import { failedStep, stepsOf } from "@/pure/steps";
import { usePolling } from "@/live/hooks";
import { shortCommit } from "@/pure/format";
import { deploymentWord, sentence, triggerWords } from "@/pure/states";
import { buttonClass } from "@/ui/button";
import { Select } from "@/ui/form";
import { Empty, Loading, ProblemNote } from "@/ui/notes";
import { Mark } from "@/ui/status";
import { Ago, Elapsed } from "@/ui/time";

type Kind = "all" | "failed" | "moving";

export function DeploymentsPage() {
  const { environmentId } = useParams({ from: "/signed-in/environment/$environmentId/deployments" });
  const deployments = useQuery({ ...deploymentsQuery(environmentId), refetchInterval: usePolling() });
  const services = useQuery(servicesQuery(environmentId)).data ?? [];
  const [kind, setKind] = useState<Kind>("all");
  const [serviceId, setServiceId] = useState("");
  const shown = useMemo(() => (deployments.data ?? []).filter((each) => isShown(each, kind, serviceId)), [deployments.data, kind, serviceId]);
  if (deployments.error) return <ProblemNote error={deployments.error} retry={() => void deployments.refetch()} />;
  if (!deployments.data) return <Loading lines={6} className="panel p-5" />;
  if (deployments.data.length === 0) {
    return (
      <Empty icon="rocket" title="Nothing was deployed yet">
        Push to a repository that a service follows, or press Deploy.
      </Empty>
    );
  }
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap gap-2">
        <Select aria-label="Which deployments" className="!w-auto" value={kind} onChange={(event) => setKind(event.target.value as Kind)}>
          <option value="all">All deployments</option>
          <option value="failed">Failed</option>
          <option value="moving">Underway</option>
        </Select>
        <Select aria-label="Which service" className="!w-auto" value={serviceId} onChange={(event) => setServiceId(event.target.value)}>
          <option value="">Every service</option>
          {services.map((service) => (
            <option key={service.id} value={service.id}>
              {service.name}
            </option>
          ))}
        </Select>
        {deployments.data.length > 1 && (
          <Link to="/environment/$environmentId/compare" params={{ environmentId }} className={`ml-auto ${buttonClass("secondary")}`}>
            Compare two
          </Link>
        )}
      </div>
      {shown.length === 0 ? <Empty icon="search" title="No deployment passes this filter" /> : <DeploymentList deployments={shown} />}
    </div>
  );
}

function isShown(deployment: Deployment, kind: Kind, serviceId: string): boolean {
  const word = deploymentWord(deployment.status);
  if (kind === "failed" && word.tone !== "bad") return false;
  if (kind === "moving" && !word.moving) return false;
  return serviceId === "" || serviceId in (deployment.commits ?? {}) || stepsOf(deployment).some((step) => step.service_id === serviceId);
}

export function DeploymentList({ deployments }: { deployments: Deployment[] }) {
  return (
    <ul className="panel">
      {deployments.map((deployment) => (
        <DeploymentRow key={deployment.id} deployment={deployment} />
      ))}
    </ul>
  );
}

function DeploymentRow({ deployment }: { deployment: Deployment }) {
  const word = deploymentWord(deployment.status);
  const names = [...new Set(stepsOf(deployment).map((step) => step.service_name).filter(Boolean))];
  const commits = [...new Set(Object.values(deployment.commits ?? {}))];
  const failed = failedStep(deployment);
  const why = failed?.message ? `${failed.service_name}: ${failed.message}` : deployment.reason;
  const reason = word.tone === "bad" ? why : word.moving ? deployment.reason : "";
  return (
    <li className="relative flex items-start gap-3 border-b border-line px-4 py-2.5 last:border-0 hover:bg-hover">
      <span className="mt-0.5">
        <Mark word={word} />
      </span>
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <Link
            to="/environment/$environmentId/deployment/$deploymentId"
            params={{ environmentId: deployment.environment_id, deploymentId: deployment.id }}
            className="num font-medium after:absolute after:inset-0"
          >
            #{deployment.number} {word.label}
          </Link>
          <span className="text-sm text-muted">
            {sentence(deployment.action)} {triggerWords(deployment.trigger ?? "")}
            {deployment.triggered_by && <> · {deployment.triggered_by}</>}
          </span>
        </p>
        {reason && <p className={`text-sm break-words ${word.tone === "bad" ? "text-bad" : "text-muted"}`}>{reason}</p>}
        <p className="flex flex-wrap gap-x-2 text-xs text-muted">
          <span className="min-w-0 truncate">{names.join(", ")}</span>
          {commits.length === 1 && <code className="font-mono text-2xs leading-[1.125rem]">{shortCommit(commits[0])}</code>}
        </p>
      </div>
      <div className="text-right text-xs text-muted">
        <Ago at={deployment.created_at} />
        <div>
          <Elapsed from={deployment.started_at} to={deployment.ended_at} />
        </div>
      </div>
    </li>
  );
}
