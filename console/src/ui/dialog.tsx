/** Dialogs: a form or a question over the page. Escape and the scrim close them; focus comes back. */

import * as Radix from "@radix-ui/react-dialog";
import type { ReactNode } from "react";

import { cx } from "@/ui/cx";
import { IconButton } from "@/ui/button";

interface DialogProps {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}

export function Dialog({ open, onClose, title, description, wide, children }: DialogProps) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <Radix.Content
          {...(description ? {} : { "aria-describedby": undefined })}
          className={cx(
            "enter fixed left-1/2 top-[12vh] z-50 flex max-h-[80vh] w-[calc(100vw-1.5rem)] -translate-x-1/2 flex-col overflow-hidden",
            "rounded-xl border border-line bg-raised shadow-pop max-sm:top-3 max-sm:max-h-[calc(100dvh-1.5rem)]",
            wide ? "max-w-2xl" : "max-w-md",
          )}
        >
          <header className="pl-5 pr-12 pt-4">
            <Radix.Title className="text-lg font-semibold break-words">{title}</Radix.Title>
            {description && <Radix.Description className="mt-1 text-sm text-muted">{description}</Radix.Description>}
          </header>
          <div className="flex flex-col gap-4 overflow-y-auto px-5 pb-5 pt-4">{children}</div>
          {/* Last, so that the first thing in the dialog gets the focus. */}
          <Radix.Close asChild>
            <IconButton icon="cross" label="Close" className="absolute right-3 top-3" />
          </Radix.Close>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** The row of buttons at a dialog's end. */
export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="mt-1 flex flex-wrap items-center justify-end gap-2">{children}</div>;
}
