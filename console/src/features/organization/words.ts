import type { Word } from "@/pure/states";

/** `2 of 3 running` says more than a word, once there is more than one. */
export function word(running: Word, total: number, up: number): Word {
  if (total < 2 || running.tone === "idle") return running;
  return { ...running, label: up === total ? `All ${total} running` : `${up} of ${total} running` };
}
