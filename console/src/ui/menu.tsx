/** Menus that drop down from a button. */

import * as Radix from "@radix-ui/react-dropdown-menu";
import type { ReactElement, ReactNode } from "react";

import { cx } from "@/ui/cx";
import { Icon, type IconName } from "@/ui/icons";

export function Menu({ trigger, align = "end", children }: { trigger: ReactElement; align?: "start" | "end"; children: ReactNode }) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={5}
          collisionPadding={8}
          className="enter z-50 max-h-[70vh] min-w-48 max-w-80 overflow-y-auto rounded-lg border border-line bg-raised p-1 shadow-pop"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

interface ItemProps {
  icon?: IconName;
  danger?: boolean;
  disabled?: boolean;
  onSelect?: () => void;
  children: ReactNode;
  /** Shown at the right in small letters. */
  aside?: ReactNode;
  checked?: boolean;
  asChild?: boolean;
}

const ITEM =
  "flex w-full cursor-default items-center gap-2 rounded-md px-2 py-1.5 text-sm outline-none select-none " +
  "data-[highlighted]:bg-hover data-[disabled]:opacity-45 max-sm:py-2.5";

export function MenuItem({ icon, danger, disabled, onSelect, children, aside, checked }: ItemProps) {
  return (
    <Radix.Item disabled={disabled ?? false} {...(onSelect && { onSelect })} className={cx(ITEM, danger && "text-bad")}>
      {icon && <Icon name={icon} className={danger ? "" : "text-muted"} />}
      <span className="min-w-0 flex-1 truncate">{children}</span>
      {aside && <span className="text-xs text-muted">{aside}</span>}
      {checked && <Icon name="check" className="text-accent" />}
    </Radix.Item>
  );
}

/** An item that is a link: pass an anchor. */
export function MenuLink({ children }: { children: ReactElement }) {
  return (
    <Radix.Item asChild className={ITEM}>
      {children}
    </Radix.Item>
  );
}

export const MenuLine = () => <Radix.Separator className="my-1 h-px bg-line" />;
export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <Radix.Label className="px-2 pb-1 pt-1.5 text-2xs font-medium uppercase tracking-wide text-muted">{children}</Radix.Label>
);
