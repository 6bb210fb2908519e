/** Things to copy: values, and the command that does the same as a button. */

import * as Popover from "@radix-ui/react-popover";
import { useEffect, useState } from "react";

import { IconButton } from "@/ui/button";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/icons";

function useCopied(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, (text) => void navigator.clipboard.writeText(text).then(() => setCopied(true))];
}

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, copy] = useCopied();
  return (
    <>
      <IconButton icon={copied ? "check" : "copy"} label={copied ? "Copied" : label} onClick={() => copy(text)} className="!size-7" />
      <span role="status" className="sr-only">
        {copied ? "Copied" : ""}
      </span>
    </>
  );
}

/** Commands in a box, one per line, with a button that copies them all. */
export function Commands({ lines, prompt = true, className }: { lines: string[]; prompt?: boolean; className?: string }) {
  return (
    <div className={cx("flex items-start gap-1 rounded-md border border-line bg-sunken py-1 pl-2.5 pr-1", className)}>
      <pre className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-xs leading-5" tabIndex={0} aria-label="Commands">
        {lines.map((line, index) => (
          <div key={index}>
            {prompt && <span className="select-none text-muted">$ </span>}
            {line}
          </div>
        ))}
      </pre>
      <CopyButton text={lines.join("\n")} label={lines.length > 1 ? "Copy the commands" : "Copy the command"} />
    </div>
  );
}

/** One line that a dialog shows: what it does, as a command. */
export function CliLine({ command }: { command: string }) {
  return (
    <div className="flex flex-col gap-1">
      <span className="text-2xs font-medium uppercase tracking-wide text-muted">The same as a command</span>
      <Commands lines={[command]} />
    </div>
  );
}

export interface CliCommand {
  does: string;
  command: string;
}

/** The button that shows a page's actions as commands. */
export function CliMenu({ commands }: { commands: CliCommand[] }) {
  return (
    <Popover.Root>
      <Popover.Trigger asChild>
        <IconButton icon="terminal" label="The same on the command line" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={5}
          collisionPadding={8}
          className="enter z-50 flex w-[28rem] max-w-[calc(100vw-1rem)] flex-col gap-3 rounded-lg border border-line bg-raised p-3 shadow-pop"
        >
          <p className="flex items-center gap-2 text-sm font-medium">
            <Icon name="terminal" className="text-muted" /> The same on the command line
          </p>
          {commands.map(({ does, command }) => (
            <div key={command} className="flex flex-col gap-1">
              <span className="text-xs text-muted">{does}</span>
              <Commands lines={[command]} />
            </div>
          ))}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
