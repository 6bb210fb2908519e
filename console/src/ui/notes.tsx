/** What a page says instead of, or beside, its content: problems, emptiness, loading. */

import type { ReactNode } from "react";

import { Problem } from "@/api/problem";
import { Button } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Icon, type IconName } from "@/ui/icons";

/** A refusal in the words of the API, with what support needs: code and request id. */
export function ProblemNote({ error, retry, className }: { error: unknown; retry?: () => void; className?: string }) {
  const problem = error instanceof Problem ? error : undefined;
  const title = problem?.title ?? "Something went wrong in the console";
  const fields = problem?.errors ?? [];
  const whole = problem ? problem.detail : error instanceof Error ? error.message : String(error);
  const detail = fields.length > 0 ? "" : whole; // the detail of a refused form only repeats its fields
  return (
    <div role="alert" className={cx("flex gap-2.5 rounded-lg border border-bad/30 bg-bad-soft px-3 py-2.5 text-sm", className)}>
      <Icon name="warning" className="mt-0.5 text-bad" />
      <div className="min-w-0 flex-1">
        <p className="font-medium text-bad">{title}</p>
        {detail && detail !== title && <p className="mt-0.5 break-words text-text">{detail}</p>}
        {fields.length > 0 && (
          <ul className="mt-0.5 text-text">
            {fields.map((each) => (
              <li key={each.path + each.message} className="break-words">
                <code className="font-mono text-xs">{each.path.replace(/^\$\.?/, "")}</code> {inWords(each.message)}
              </li>
            ))}
          </ul>
        )}
        {problem && (problem.code || problem.requestId) && (
          <p className="mt-1 font-mono text-2xs break-all text-muted">
            {problem.code}
            {problem.requestId && <> · request {problem.requestId}</>}
          </p>
        )}
      </div>
      {retry && (
        <Button small onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** A pattern says nothing to people. */
const inWords = (message: string): string => (/matching regex/.test(message) ? "is empty, or has characters that can't stand there" : message);

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-3 rounded-lg border border-dashed border-line-strong px-6 py-10 text-center">
      <span className="flex size-10 items-center justify-center rounded-full bg-sunken text-muted">
        <Icon name={icon} size={20} />
      </span>
      <div className="max-w-md">
        <p className="font-medium">{title}</p>
        {children && <div className="mt-1 text-sm text-muted">{children}</div>}
      </div>
      {action}
    </div>
  );
}

/** Grey lines where content will be; screen readers hear that it loads. */
export function Loading({ lines = 3, className }: { lines?: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className={cx("flex flex-col gap-2.5 p-1", className)}>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} className="pulse h-4 rounded bg-line" style={{ width: `${88 - ((index * 23) % 45)}%` }} />
      ))}
    </div>
  );
}
