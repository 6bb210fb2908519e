/** What can be done with environments and services, the same in buttons, menus and the palette. */

import { useQueryClient } from "@tanstack/react-query";

import { cancelDeployment, rollBackEnvironment, rollBackService } from "@/api/deployments";
import { deployEnvironment, redeployEnvironment, stopEnvironment } from "@/api/environments";
import { deployService, redeployService, restartService, stopService } from "@/api/services";
import type { Deployment, Environment, Service } from "@/api/types";
import { useRights } from "@/features/rights";
import { command } from "@/pure/cli";
import { ask } from "@/ui/confirm";
import type { CliCommand } from "@/ui/copy";
import type { IconName } from "@/ui/icons";
import { say, sayProblem } from "@/ui/toasts";

export interface Action {
  name: string;
  icon: IconName;
  act: () => Promise<void>;
}

/** Do something and say what came of it; what it changed is asked for again. */
export function useDo(): (done: string, work: () => Promise<unknown>, environmentId?: string) => Promise<void> {
  const client = useQueryClient();
  return async (done, work, environmentId) => {
    try {
      await work();
      say(done);
    } catch (error) {
      sayProblem(error);
    }
    if (environmentId) await client.invalidateQueries({ queryKey: ["environment", environmentId] });
  };
}

export function useEnvironmentActions(environment: Environment | undefined): Action[] {
  const run = useDo();
  const { may } = useRights();
  if (!environment || !may("deploy")) return [];
  const { id, name } = environment;
  return [
    { name: "Deploy", icon: "rocket", act: () => run(`${name}: deployment requested`, () => deployEnvironment(id), id) },
    { name: "Redeploy", icon: "restart", act: () => run(`${name}: redeployment requested`, () => redeployEnvironment(id), id) },
    { name: "Stop", icon: "stop", act: () => stop() },
  ];

  async function stop(): Promise<void> {
    const sure = await ask({ title: `Stop everything in ${name}?`, description: "Its services answer no more until they are deployed again. Nothing is deleted.", verb: "Stop everything", danger: true });
    if (sure) await run(`${name}: stop requested`, () => stopEnvironment(id), id);
  }
}

export function useCancel(): (deployment: Deployment) => Promise<void> {
  const run = useDo();
  return ({ id, environment_id, status }) => {
    const force = status === "CANCELING";
    return run(force ? "Cancel by force requested" : "Cancel requested", () => cancelDeployment(id, force), environment_id);
  };
}

interface RollBackTarget {
  deploymentId: string;
  environmentId: string;
  /** How people call it: `#12`, or a commit. */
  name: string;
}

/** Go back to what ran after a deployment: in the whole environment, or only of one service. */
export function useRollBack(): (to: RollBackTarget, service?: Service) => Promise<Deployment | undefined> {
  const client = useQueryClient();
  return async (to, service) => {
    const what = service?.name ?? "the environment";
    const sure = await ask({
      title: `Roll ${what} back to ${to.name}?`,
      description: "What ran after that deployment is put back, without building again. Deploying on push is switched off for what changes, so that the next push doesn't undo it; the settings of each service switch it on again.",
      verb: "Roll back",
    });
    if (!sure) return undefined;
    try {
      const made = await (service ? rollBackService(service.id, to.deploymentId) : rollBackEnvironment(to.environmentId, to.deploymentId));
      await client.invalidateQueries({ queryKey: ["environment", to.environmentId] });
      if (service) await client.invalidateQueries({ queryKey: ["service", service.id] });
      return made;
    } catch (error) {
      sayProblem(error);
      return undefined;
    }
  };
}

export function useServiceActions(service: Service | undefined): Action[] {
  const run = useDo();
  const { may } = useRights();
  if (!service || !may("deploy")) return [];
  const id = service.environment.id;
  return [
    { name: "Deploy", icon: "rocket", act: () => run(`${service.name}: deployment requested`, () => deployService(service), id) },
    { name: "Redeploy", icon: "restart", act: () => run(`${service.name}: redeployment requested`, () => redeployService(service), id) },
    { name: "Restart", icon: "restart", act: () => run(`${service.name}: restart requested`, () => restartService(service), id) },
    { name: "Stop", icon: "stop", act: () => stop(service) },
  ];

  async function stop({ name }: Service): Promise<void> {
    const sure = await ask({ title: `Stop ${name}?`, description: "It answers no more until it is deployed again. Nothing is deleted.", verb: "Stop", danger: true });
    if (sure) await run(`${name}: stop requested`, () => stopService(service as Service), id);
  }
}

/** A service as the command line finds it without doubt: project/environment/name. */
export const pathOf = (service: Service, environment: Environment | undefined, project: string | undefined): string =>
  environment && project ? `${project}/${environment.name}/${service.name}` : service.id;

export function serviceCommands(at: string): CliCommand[] {
  return [
    { does: "Deploy it and watch", command: command("deploy", at, "--watch") },
    { does: "Follow its logs", command: command("logs", at, "-f") },
    { does: "Open a terminal beside it", command: command("shell", at) },
    { does: "Open its page", command: command("open", at) },
  ];
}
