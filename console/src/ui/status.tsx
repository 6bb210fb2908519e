/**
 * Signs of state. Form and colour say the same, so that neither is needed alone: running states are dots,
 * what a deployment did is a mark in a ring.
 */

import type { Tone, Word } from "@/pure/states";
import { cx } from "@/ui/cx";
import { Spinner } from "@/ui/button";

export const TEXT: Record<Tone, string> = {
  good: "text-good",
  busy: "text-busy",
  warn: "text-warn",
  bad: "text-bad",
  idle: "text-muted",
};

const SOFT: Record<Tone, string> = {
  good: "bg-good-soft text-good",
  busy: "bg-busy-soft text-busy",
  warn: "bg-warn-soft text-warn",
  bad: "bg-bad-soft text-bad",
  idle: "bg-sunken text-muted",
};

/** Running state: a dot. */
export function Dot({ word, size = 10 }: { word: Word; size?: number }) {
  return (
    <svg viewBox="0 0 10 10" width={size} height={size} aria-hidden className={cx("shrink-0", TEXT[word.tone], word.moving && "pulse")}>
      {word.tone === "idle" ? (
        <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.4" />
      ) : word.tone === "warn" ? (
        <path d="M5 .8 9.600 9H.4z" fill="currentColor" />
      ) : word.tone === "bad" ? (
        <rect x=".8" y=".8" width="8.400" height="8.400" rx="1.5" fill="currentColor" />
      ) : (
        <circle cx="5" cy="5" r="4.400" fill="currentColor" />
      )}
    </svg>
  );
}

/** What a deployment or step did: a mark in a ring, or a turning ring while it does it. */
export function Mark({ word, size = 15 }: { word: Word; size?: number }) {
  if (word.moving) {
    return (
      <span className={cx("inline-flex shrink-0", TEXT[word.tone])}>
        <Spinner size={size} />
      </span>
    );
  }
  return (
    <svg viewBox="0 0 16 16" width={size} height={size} aria-hidden className={cx("shrink-0", TEXT[word.tone])}>
      {word.tone === "idle" ? (
        <circle cx="8" cy="8" r="5.750" fill="none" stroke="currentColor" strokeWidth="1.5" strokeDasharray="2.500 2.500" />
      ) : (
        <>
          <circle cx="8" cy="8" r="7" fill="currentColor" />
          <path
            d={word.tone === "good" ? "m4.800 8.300 2.200 2.200 4.200-4.800" : word.tone === "bad" ? "m5.500 5.500 5 5M10.500 5.500l-5 5" : "M5 8h6"}
            stroke="var(--surface)"
            strokeWidth="1.700"
            fill="none"
            strokeLinecap="round"
            strokeLinejoin="round"
          />
        </>
      )}
    </svg>
  );
}

export function Running({ word, className }: { word: Word; className?: string }) {
  return (
    <span className={cx("inline-flex items-center gap-1.5 whitespace-nowrap text-sm", className)}>
      <Dot word={word} />
      {word.label}
    </span>
  );
}

export function Deployed({ word, className }: { word: Word; className?: string }) {
  return (
    <span className={cx("inline-flex items-center gap-1.5 whitespace-nowrap text-sm", className)}>
      <Mark word={word} size={14} />
      {word.label}
    </span>
  );
}

export function Badge({ tone = "idle", children, title }: { tone?: Tone; children: React.ReactNode; title?: string }) {
  return (
    <span title={title} className={cx("inline-flex h-5 items-center gap-1 rounded px-1.5 text-2xs font-medium whitespace-nowrap", SOFT[tone])}>
      {children}
    </span>
  );
}

const MODE_TONE: Record<string, Tone> = { PRODUCTION: "busy", STAGING: "warn", PREVIEW: "good", DEVELOPMENT: "idle" };

export function Mode({ mode }: { mode: string }) {
  return <Badge tone={MODE_TONE[mode] ?? "idle"}>{mode.charAt(0) + mode.slice(1).toLowerCase()}</Badge>;
}

/** What is deployed is not what was last saved. */
export function OutOfDate() {
  return (
    <Badge tone="warn" title="Its settings, variables or code changed since it was deployed">
      Changes to deploy
    </Badge>
  );
}
