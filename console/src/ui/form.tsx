/** Fields: a label above, a hint or an error below, tied together for screen readers. */

import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";

import { cx } from "@/ui/cx";

const BOX =
  "w-full rounded-md border border-line-strong bg-surface px-2.5 text-base text-text placeholder:text-muted/80 " +
  "focus-visible:outline-2 focus-visible:-outline-offset-1 aria-invalid:border-bad disabled:opacity-60 max-sm:text-[16px]";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  optional?: boolean;
  children: (attributes: { id: string; "aria-describedby"?: string; "aria-invalid"?: true }) => ReactNode;
}

export function Field({ label, hint, error, optional, children }: FieldProps) {
  const id = useId();
  const below = error || hint;
  return (
    <div className="flex min-w-0 flex-col gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
        {optional && <span className="font-normal text-muted"> (optional)</span>}
      </label>
      {children({ id, ...(below ? { "aria-describedby": `${id}-below` } : {}), ...(error ? { "aria-invalid": true as const } : {}) })}
      {below && (
        <div id={`${id}-below`} className={cx("text-xs", error ? "text-bad" : "text-muted")}>
          {error || hint}
        </div>
      )}
    </div>
  );
}

export function Input({ className, mono, ...rest }: InputHTMLAttributes<HTMLInputElement> & { mono?: boolean }) {
  return <input className={cx(BOX, "h-8.5 max-sm:h-10", mono && "font-mono text-sm", className)} spellCheck={false} {...rest} />;
}

export function Textarea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <textarea className={cx(BOX, "min-h-20 py-1.5 font-mono text-sm", className)} spellCheck={false} {...rest} />;
}

export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <select className={cx(BOX, "h-8.5 max-sm:h-10", className)} {...rest}>
      {children}
    </select>
  );
}

interface CheckProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "type"> {
  label: ReactNode;
  hint?: ReactNode;
}

export function Check({ label, hint, ...rest }: CheckProps) {
  const id = useId();
  return (
    <div className="flex gap-2">
      <input id={id} type="checkbox" className="mt-0.5 size-4 shrink-0 accent-[var(--accent)]" {...(hint ? { "aria-describedby": `${id}-hint` } : {})} {...rest} />
      <div className="text-sm">
        <label htmlFor={id} className="font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${id}-hint`} className="text-xs text-muted">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}
