/** One deployment: its stages and steps, live, with the log of the step that matters beside them. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";

import { deploymentQuery, deploymentsQuery } from "@/api/deployments";
import { environmentQuery } from "@/api/environments";
import type { Deployment, Environment } from "@/api/types";
import { useCancel, useEnvironmentActions, useRollBack } from "@/features/actions";
import { Progress } from "@/features/environment/now";
import { Pipeline } from "@/features/deployment/pipeline";
import { StepPanel } from "@/features/deployment/step";
import { useRights } from "@/features/rights";
import { failedStep, interesting, progress, stepsOf } from "@/pure/steps";
import { useDeploymentChannel, useEnvironmentLive, usePolling } from "@/live/hooks";
import { command } from "@/pure/cli";
import { deploymentWord, sentence, triggerWords } from "@/pure/states";
import { Button, buttonClass } from "@/ui/button";
import { CliMenu } from "@/ui/copy";
import { Icon } from "@/ui/icons";
import { Loading, ProblemNote } from "@/ui/notes";
import { Mark } from "@/ui/status";
import { Ago, Elapsed } from "@/ui/time";

export function DeploymentPage() {
  const { environmentId, deploymentId } = useParams({ from: "/signed-in/environment/$environmentId/deployment/$deploymentId" });
  const polling = usePolling();
  const query = useQuery({
    ...deploymentQuery(deploymentId),
    refetchInterval: ({ state }) => (state.data && !deploymentWord(state.data.status).moving ? false : polling),
  });
  const environment = useQuery(environmentQuery(environmentId)).data;
  useEnvironmentLive(environmentId);
  useDeploymentChannel(deploymentId);
  if (query.error && !query.data) return <ProblemNote error={query.error} retry={() => void query.refetch()} />;
  if (!query.data) return <Loading lines={6} />;
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-4">
      <Head deployment={query.data} environment={environment} />
      <Reason deployment={query.data} />
      <Steps deployment={query.data} />
    </div>
  );
}

function Head({ deployment, environment }: { deployment: Deployment; environment: Environment | undefined }) {
  const word = deploymentWord(deployment.status);
  const cancel = useCancel();
  const mayDeploy = useRights().may("deploy");
  const rollBack = useRollBack();
  const navigate = useNavigate();
  const newest = useQuery(deploymentsQuery(deployment.environment_id)).data?.[0];
  const redeploy = useEnvironmentActions(environment).find(({ name }) => name === "Redeploy");
  const { done, total } = progress(deployment);
  const canceling = deployment.status === "CANCELING";
  const canGoBack = mayDeploy && deployment.status === "DEPLOYED" && newest !== undefined && newest.id !== deployment.id;
  const goBack = async (): Promise<void> => {
    const made = await rollBack({ deploymentId: deployment.id, environmentId: deployment.environment_id, name: `#${deployment.number}` });
    if (made) await navigate({ to: "/environment/$environmentId/deployment/$deploymentId", params: { environmentId: made.environment_id, deploymentId: made.id } });
  };
  return (
    <header className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <Link
          to="/environment/$environmentId/deployments"
          params={{ environmentId: deployment.environment_id }}
          className="-ml-2 flex size-8 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-text"
          aria-label="All deployments"
        >
          <Icon name="left" />
        </Link>
        <h1 className="num flex items-center gap-2 text-xl font-semibold">
          <Mark word={word} size={18} />
          {sentence(deployment.action)} #{deployment.number}
        </h1>
        <span className="text-sm text-muted">{word.label}</span>
        <div className="ml-auto flex items-center gap-1.5">
          <CliMenu commands={[{ does: "What runs, and what the last deployment did", command: command("services") }]} />
          {!word.moving && newest && deployment.number > 1 && (
            <Link to="/environment/$environmentId/compare" params={{ environmentId: deployment.environment_id }} search={{ after: deployment.id }} className={buttonClass("secondary")}>
              Compare
            </Link>
          )}
          {!mayDeploy ? null : word.moving ? (
            <Button icon="cross" onClick={() => void cancel(deployment)}>
              {canceling ? "Force cancel" : "Cancel"}
            </Button>
          ) : (
            redeploy && (
              <Button icon="restart" onClick={() => void redeploy.act()}>
                Run again
              </Button>
            )
          )}
          {canGoBack && (
            <Button icon="clock" onClick={() => void goBack()}>
              Roll back to this
            </Button>
          )}
        </div>
      </div>
      <p className="flex flex-wrap gap-x-4 gap-y-0.5 text-sm text-muted">
        <span>
          {sentence(triggerWords(deployment.trigger ?? ""))}
          {deployment.triggered_by && <>, {deployment.triggered_by}</>}
        </span>
        <Ago at={deployment.created_at} />
        {deployment.started_at && (
          <span>
            took <Elapsed from={deployment.started_at} to={deployment.ended_at} />
            {!deployment.ended_at && " so far"}
          </span>
        )}
        {total > 0 && (
          <span className="num">
            {done} of {total} steps
          </span>
        )}
      </p>
      {word.moving && <Progress done={done} total={total} />}
    </header>
  );
}

function Reason({ deployment }: { deployment: Deployment }) {
  const word = deploymentWord(deployment.status);
  const step = failedStep(deployment);
  const text = (word.tone === "bad" && step?.message) || deployment.reason;
  if (!text || word.tone === "good") return null;
  const tone = word.tone === "bad" ? "border-bad/30 bg-bad-soft" : word.tone === "warn" ? "border-warn/30 bg-warn-soft" : "border-busy/30 bg-busy-soft";
  return (
    <div role={word.tone === "bad" ? "alert" : "status"} className={`rounded-lg border px-4 py-2.5 text-sm ${tone}`}>
      <p className="font-medium break-words">
        {step && word.tone === "bad" && <>{step.service_name}: </>}
        {text}
      </p>
      {step?.kind && word.tone === "bad" && ["build", "deploy"].includes(step.kind.toLowerCase()) && (
        <p className="mt-0.5 text-muted">If a version was running before, it keeps serving.</p>
      )}
      {step?.code && word.tone === "bad" && <p className="mt-0.5 font-mono text-2xs text-muted">{step.code}</p>}
    </div>
  );
}

function Steps({ deployment }: { deployment: Deployment }) {
  const { step: wanted } = useSearch({ from: "/signed-in/environment/$environmentId/deployment/$deploymentId" });
  const navigate = useNavigate();
  const steps = stepsOf(deployment);
  const chosen = steps.find(({ id }) => id === wanted) ?? interesting(deployment);
  const choose = (step: string): void =>
    void navigate({ to: ".", search: { step }, replace: true, resetScroll: false });
  if (steps.length === 0) {
    return <p className="panel px-4 py-6 text-center text-sm text-muted">{deploymentWord(deployment.status).moving ? "The plan is being made." : "This deployment had nothing to do."}</p>;
  }
  return (
    <div className="grid min-h-0 flex-1 grid-cols-[20rem_minmax(0,1fr)] gap-4 max-lg:grid-cols-1">
      <Pipeline steps={steps} chosen={chosen?.id} onChoose={choose} />
      {chosen && <StepPanel key={chosen.id} step={chosen} environmentId={deployment.environment_id} deploymentId={deployment.id} />}
    </div>
  );
}

