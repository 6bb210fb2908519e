/**
 * States in words. Deployment status (what the last deployment did) and running state (what is alive now)
 * are two things; each has its own table here, and nothing mixes them.
 */

export type Tone = "good" | "busy" | "warn" | "bad" | "idle";

export interface Word {
  label: string;
  tone: Tone;
  /** Something moves: the sign pulses. */
  moving: boolean;
}

const word = (label: string, tone: Tone, moving = false): Word => ({ label, tone, moving });

const DEPLOYMENT: Record<string, Word> = {
  READY: word("Never deployed", "idle"),
  DEPLOYED: word("Deployed", "good"),
  RESTARTED: word("Restarted", "good"),
  STOPPED: word("Stopped", "idle"),
  DELETED: word("Deleted", "idle"),
  CANCELED: word("Canceled", "warn"),
  QUEUED: word("Queued", "busy", true),
  DEPLOYMENT_QUEUED: word("Queued", "busy", true),
  STOP_QUEUED: word("Stop queued", "busy", true),
  DELETE_QUEUED: word("Delete queued", "busy", true),
  RESTART_QUEUED: word("Restart queued", "busy", true),
  WAITING_RUNNING: word("Waiting to deploy", "busy", true),
  WAITING_STOPPING: word("Waiting to stop", "busy", true),
  WAITING_DELETING: word("Waiting to delete", "busy", true),
  WAITING_RESTARTING: word("Waiting to restart", "busy", true),
  BUILDING: word("Building", "busy", true),
  DEPLOYING: word("Deploying", "busy", true),
  EXECUTING: word("Executing", "busy", true),
  RESTARTING: word("Restarting", "busy", true),
  STOPPING: word("Stopping", "busy", true),
  DELETING: word("Deleting", "busy", true),
  CANCELING: word("Canceling", "warn", true),
  BUILD_ERROR: word("Build failed", "bad"),
  DEPLOYMENT_ERROR: word("Deployment failed", "bad"),
  STOP_ERROR: word("Stop failed", "bad"),
  DELETE_ERROR: word("Delete failed", "bad"),
  RESTART_ERROR: word("Restart failed", "bad"),
  RECAP: word("Finishing", "busy", true),
  UNAVAILABLE: word("Unavailable", "warn"),
};

const RUNNING: Record<string, Word> = {
  RUNNING: word("Running", "good"),
  STARTING: word("Starting", "busy", true),
  STOPPING: word("Stopping", "busy", true),
  STOPPED: word("Stopped", "idle"),
  COMPLETED: word("Completed", "good"),
  WARNING: word("Partly running", "warn"),
  ERROR: word("Not running", "bad"),
  UNKNOWN: word("Unknown", "idle"),
};

const STEP: Record<string, Word> = {
  PENDING: word("Waiting", "idle"),
  READY: word("Handed out", "busy", true),
  RUNNING: word("Running", "busy", true),
  SUCCEEDED: word("Done", "good"),
  FAILED: word("Failed", "bad"),
  CANCELED: word("Canceled", "warn"),
  SKIPPED: word("Skipped", "idle"),
};

const STEP_KIND: Record<string, string> = {
  pre_check: "Check",
  build: "Build",
  deploy: "Deploy",
  stop: "Stop",
  start: "Start",
  restart: "Restart",
  delete: "Delete",
};

const TRIGGER: Record<string, string> = {
  manual: "by hand",
  push: "by a push",
  schedule: "by its timetable",
  rollback: "to roll back",
};

/** What the last deployment did. */
export function deploymentWord(state: string | undefined | null): Word {
  return DEPLOYMENT[state ?? ""] ?? word(sentence(state ?? "") || "Never deployed", "idle");
}

/** What is alive now. Before the agent said anything it is unknown, not stopped. */
export function runningWord(state: string | undefined | null): Word {
  return RUNNING[state ?? "UNKNOWN"] ?? word(sentence(state ?? ""), "idle");
}

export function stepWord(state: string): Word {
  return STEP[state] ?? word(sentence(state), "idle");
}

export function stepKind(kind: string): string {
  return STEP_KIND[kind.toLowerCase()] ?? sentence(kind);
}

export function triggerWords(trigger: string): string {
  return TRIGGER[trigger] ?? trigger;
}

/** `DEPLOYMENT_RULE` → `Deployment rule`. */
export function sentence(name: string): string {
  const words = name.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Names in capitals are defaults of the platform; people's own stay as they wrote them. */
export const stageName = (name: string): string => (/^[A-Z_ ]+$/.test(name) ? sentence(name) : name);

/** A deployment that still changes by itself. */
export function isMoving(state: string | undefined | null): boolean {
  return deploymentWord(state).moving;
}

export function isFailed(state: string | undefined | null): boolean {
  return deploymentWord(state).tone === "bad";
}

const ORDER: Record<Tone, number> = { bad: 0, warn: 1, busy: 2, good: 3, idle: 4 };

/** Broken first: the lower, the more it needs a person. */
export function urgency(...words: Word[]): number {
  return Math.min(...words.map((each) => ORDER[each.tone]), 5);
}

/** The running state of many services in one, as the public API documents the aggregation. */
export function aggregate(states: string[]): string | undefined {
  if (states.length === 0) return undefined;
  const all = (state: string): boolean => states.every((each) => each === state);
  if (all("STOPPED")) return "STOPPED";
  if (states.includes("STARTING")) return "STARTING";
  if (all("ERROR")) return "ERROR";
  if (states.includes("ERROR") || states.includes("WARNING")) return "WARNING";
  if (states.includes("STOPPING")) return "STOPPING";
  if (all("COMPLETED")) return "COMPLETED";
  if (states.some((state) => state === "RUNNING" || state === "COMPLETED")) return "RUNNING";
  return "UNKNOWN";
}
