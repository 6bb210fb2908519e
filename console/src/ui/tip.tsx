import * as Tooltip from "@radix-ui/react-tooltip";
import type { ReactElement } from "react";

export const TipProvider = Tooltip.Provider;

/** A few words about a control, on hover and on focus. */
export function Tip({ text, children }: { text: string; children: ReactElement }) {
  return (
    <Tooltip.Root delayDuration={350}>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          sideOffset={5}
          collisionPadding={8}
          className="enter z-50 max-w-72 rounded-md border border-line bg-raised px-2 py-1 text-xs text-text shadow-pop"
        >
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
