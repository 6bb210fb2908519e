/** Buttons. One primary per view; danger only for what destroys. */

import { type ButtonHTMLAttributes, forwardRef, type ReactNode } from "react";

import { cx } from "@/ui/cx";
import { Icon, type IconName } from "@/ui/icons";
import { Tip } from "@/ui/tip";

type Look = "primary" | "secondary" | "ghost" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-hover",
  secondary: "bg-surface text-text border border-line-strong hover:bg-hover",
  ghost: "text-muted hover:text-text hover:bg-hover",
  danger: "bg-bad-fill text-white hover:brightness-110",
};

const SHAPE =
  "inline-flex items-center justify-center gap-1.5 rounded-md text-sm font-medium whitespace-nowrap select-none transition-colors duration-100 " +
  "disabled:opacity-50 disabled:pointer-events-none";

/** For links that look like buttons. */
export const buttonClass = (look: Look = "secondary"): string => cx(SHAPE, LOOKS[look], "h-8 px-3");

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  icon?: IconName;
  busy?: boolean;
  small?: boolean;
  children?: ReactNode;
}

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { look = "secondary", icon, busy, small, children, className, disabled, ...rest },
  ref,
) {
  return (
    <button
      ref={ref}
      type="button"
      className={cx(SHAPE, LOOKS[look], small ? "h-7 px-2" : "h-8 px-3", className)}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy ? <Spinner /> : icon && <Icon name={icon} size={small ? 14 : 15} />}
      {children}
    </button>
  );
});

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "aria-label"> {
  icon: IconName;
  label: string;
  /** For switches: whether it is on. */
  pressed?: boolean;
}

export const IconButton = forwardRef<HTMLButtonElement, IconButtonProps>(function IconButton(
  { icon, label, pressed, className, ...rest },
  ref,
) {
  return (
    <Tip text={label}>
      <button
        ref={ref}
        type="button"
        aria-label={label}
        aria-pressed={pressed}
        className={cx(
          SHAPE,
          "size-8 max-sm:size-9 shrink-0",
          pressed ? "bg-accent-soft text-accent" : LOOKS.ghost,
          className,
        )}
        {...rest}
      >
        <Icon name={icon} />
      </button>
    </Tip>
  );
});

export function Spinner({ size = 14 }: { size?: number }) {
  return (
    <svg viewBox="0 0 16 16" width={size} height={size} className="animate-spin shrink-0" aria-hidden>
      <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" strokeOpacity="0.25" strokeWidth="2" />
      <path d="M14 8a6 6 0 0 0-6-6" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
