/** Tabs that are pages: links in a row, which scrolls on narrow screens. */

import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";

export function Tabs({ label, children }: { label: string; children: ReactNode }) {
  return (
    <nav aria-label={label} className="-mx-4 flex gap-1 overflow-x-auto border-b border-line px-4 [scrollbar-width:none] max-sm:-mx-3 max-sm:px-3">
      {children}
    </nav>
  );
}

export function Tab({ exact = false, children, ...link }: { exact?: boolean; children: ReactNode; to: LinkProps["to"]; params: Record<string, string> }) {
  return (
    <Link
      {...(link as LinkProps)}
      activeOptions={{ exact }}
      className="-mb-px border-b-2 border-transparent px-2 py-2 text-sm whitespace-nowrap text-muted hover:text-text focus-visible:-outline-offset-2 data-[status=active]:border-accent data-[status=active]:font-medium data-[status=active]:text-text"
    >
      {children}
    </Link>
  );
}
