/** The plan, stage by stage: each step with its state and time; one is chosen, and its log stands beside. */

import type { Step } from "@/api/types";
import { type StageOfSteps, stages } from "@/pure/steps";
import { stageName, stepKind, stepWord, type Word } from "@/pure/states";
import { cx } from "@/ui/cx";
import { Mark, TEXT } from "@/ui/status";
import { Elapsed } from "@/ui/time";

interface Props {
  steps: Step[];
  chosen: string | undefined;
  onChoose: (step: string) => void;
}

export function Pipeline({ steps, chosen, onChoose }: Props) {
  return (
    <ol aria-label="Stages" className="flex flex-col gap-2.5 self-start max-lg:w-full lg:sticky lg:top-16">
      {stages(steps).map((stage) => (
        <StageBox key={stage.name} stage={stage} chosen={chosen} onChoose={onChoose} />
      ))}
    </ol>
  );
}

function StageBox({ stage, chosen, onChoose }: { stage: StageOfSteps; chosen: string | undefined; onChoose: (step: string) => void }) {
  const word = stageWord(stage.steps);
  return (
    <li className="panel overflow-hidden">
      <h2 className="flex items-center gap-2 border-b border-line bg-sunken px-3 py-1.5 text-xs font-medium text-muted">
        {stageName(stage.name)}
        <span className={cx("ml-auto", TEXT[word.tone])}>{word.label}</span>
      </h2>
      <ul>
        {stage.steps.map((step) => (
          <li key={step.id} className="border-b border-line last:border-0">
            <StepButton step={step} isChosen={step.id === chosen} onChoose={onChoose} />
          </li>
        ))}
      </ul>
    </li>
  );
}

function StepButton({ step, isChosen, onChoose }: { step: Step; isChosen: boolean; onChoose: (step: string) => void }) {
  const word = stepWord(step.state);
  return (
    <button
      type="button"
      aria-current={isChosen ? "step" : undefined}
      onClick={() => onChoose(step.id)}
      className={cx(
        "flex w-full items-center gap-2.5 border-l-2 px-3 py-2 text-left text-sm focus-visible:-outline-offset-2",
        isChosen ? "border-accent bg-accent-soft" : "border-transparent hover:bg-hover",
      )}
    >
      <Mark word={word} />
      <span className="min-w-0 flex-1">
        <span className="block truncate">
          {step.service_name ? <span className="text-muted">{stepKind(step.kind)}</span> : <span className="font-medium">{stepKind(step.kind)}</span>} <span className="font-medium">{step.service_name}</span>
        </span>
        <span className={cx("block truncate text-xs", word.tone === "bad" ? "text-bad" : "text-muted")}>
          {step.state === "SUCCEEDED" ? word.label : step.message || word.label}
        </span>
      </span>
      <span className="text-xs text-muted">
        {step.percent != null && step.state === "RUNNING" ? <span className="num">{step.percent} %</span> : step.state !== "SKIPPED" && <Elapsed from={step.started_at} to={step.ended_at} />}
      </span>
    </button>
  );
}

function stageWord(steps: Step[]): Word {
  const words = steps.map((step) => stepWord(step.state));
  const find = (test: (word: Word) => boolean): Word | undefined => words.find(test);
  return (
    find((word) => word.tone === "bad") ??
    find((word) => word.moving) ??
    find((word) => word.label === "Waiting") ??
    find((word) => word.tone === "warn") ??
    find((word) => word.tone === "good") ??
    (words[0] as Word)
  );
}
