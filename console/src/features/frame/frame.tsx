/** What stands around every page: where you are, search, theme, account, and whether what you see is fresh. */

import { Link, Outlet } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";

import { Crumbs } from "@/features/frame/crumbs";
import { AccountMenu } from "@/features/frame/account";
import { StaleBanner } from "@/features/frame/stale";
import { LookingOn } from "@/features/rights";
import { Icon, Logo } from "@/ui/icons";
import { Questions } from "@/ui/confirm";
import { Toasts } from "@/ui/toasts";

const Palette = lazy(() => import("@/features/palette/palette").then((module) => ({ default: module.Palette })));

export function Frame() {
  const [searching, setSearching] = useState(false);
  useShortcuts(() => setSearching((open) => !open));
  return (
    <>
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:left-2 focus:top-2 focus:z-50 focus:rounded-md focus:bg-raised focus:px-3 focus:py-2 focus:text-sm">
        Skip to the content
      </a>
      <header className="sticky top-0 z-30 border-b border-line bg-surface/95 backdrop-blur-sm">
        <div className="mx-auto flex h-12 max-w-[1320px] items-center gap-2 px-4 max-sm:px-3">
          <Link to="/" aria-label="Slipway: start page" className="flex rounded-md">
            <Logo />
          </Link>
          <Crumbs />
          <div className="ml-auto flex shrink-0 items-center gap-1">
            <button
              type="button"
              onClick={() => setSearching(true)}
              aria-keyshortcuts="Control+K Meta+K"
              className="flex h-8 items-center gap-2 rounded-md border border-line-strong px-2 text-sm text-muted hover:bg-hover hover:text-text max-md:size-9 max-md:justify-center max-md:border-0"
            >
              <Icon name="search" />
              <span className="max-md:sr-only">Search</span>
              <kbd aria-hidden className="rounded border border-line px-1 text-2xs max-md:hidden">{SEARCH_KEY}</kbd>
            </button>
            <AccountMenu />
          </div>
        </div>
      </header>
      <StaleBanner />
      <LookingOn />
      <main id="main" tabIndex={-1} className="mx-auto flex w-full max-w-[1320px] flex-1 flex-col px-4 pb-16 pt-5 max-sm:px-3 focus-visible:outline-none">
        <Outlet />
      </main>
      {searching && (
        <Suspense>
          <Palette onClose={() => setSearching(false)} />
        </Suspense>
      )}
      <Questions />
      <Toasts />
    </>
  );
}

const SEARCH_KEY = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘K" : "Ctrl K";

function useShortcuts(search: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        search();
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [search]);
}
