/** Events of the audit log in words. */

import { sentence } from "@/pure/states";

const VERBS: Record<string, string> = {
  CREATE: "created",
  UPDATE: "changed",
  DELETE: "deleted",
  ACCEPT: "accepted",
  CLONE: "cloned",
  TRIGGER_DEPLOY: "asked to deploy",
  TRIGGER_REDEPLOY: "asked to redeploy",
  TRIGGER_RESTART: "asked to restart",
  TRIGGER_STOP: "asked to stop",
  TRIGGER_DELETE: "asked to delete",
  TRIGGER_CANCEL: "asked to cancel",
  TRIGGER_UNINSTALL: "asked to uninstall",
  DEPLOYED: "deployed",
  STOPPED: "stopped",
  DELETED: "deleted",
  RESTARTED: "restarted",
  DEPLOY_FAILED: "failed to deploy",
  STOP_FAILED: "failed to stop",
  RESTART_FAILED: "failed to restart",
  DELETE_FAILED: "failed to delete",
  SHELL: "terminal",
  LOCK: "locked",
  UNLOCK: "unlocked",
};

/** What people can filter by: the others are rare. */
export const FILTERED = ["CREATE", "UPDATE", "DELETE", "ACCEPT", "TRIGGER_DEPLOY", "TRIGGER_REDEPLOY", "TRIGGER_RESTART", "TRIGGER_STOP", "TRIGGER_CANCEL", "SHELL"];
export const TARGETS = ["ORGANIZATION", "MEMBERS_AND_ROLES", "PROJECT", "ENVIRONMENT", "APPLICATION", "CONTAINER", "DATABASE", "JOB", "HELM", "TERRAFORM", "CLUSTER"];
export const ORIGINS: [string, string][] = [
  ["CONSOLE", "Console"],
  ["CLI", "Command line"],
  ["API", "API"],
  ["GIT", "Git"],
  ["QOVERY_INTERNAL", "The platform itself"],
];

export const eventVerb = (type: string): string => VERBS[type] ?? sentence(type).toLowerCase();
export const originName = (origin: string | undefined): string => ORIGINS.find(([id]) => id === origin)?.[1] ?? sentence(origin ?? "");

/** `variable of service`, `cluster`: what it was about. */
export function targetWords(target: string, part: string | null | undefined): string {
  const whole = target === "APPLICATION" ? "service" : sentence(target).toLowerCase();
  if (!part || part === "CONFIG" || part === target) return whole;
  return target === "MEMBERS_AND_ROLES" ? sentence(part).toLowerCase() : `${sentence(part).toLowerCase()} of ${whole}`;
}
