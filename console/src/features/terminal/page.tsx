/** A terminal beside the service, with its environment. xterm.js is loaded with this page. */

import "@xterm/xterm/css/xterm.css";

import { useQuery } from "@tanstack/react-query";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef, useState } from "react";

import { environmentQuery } from "@/api/environments";
import { useIsDark } from "@/features/frame/theme";
import { useService, useServicePath, useServicePlace } from "@/features/service/page";
import { PastSessions } from "@/features/terminal/past";
import { Session, type SessionState, type Where } from "@/features/terminal/session";
import { DARK, LIGHT } from "@/features/terminal/themes";
import { NotForYou, useRights } from "@/features/rights";
import { command } from "@/pure/cli";
import { runningWord } from "@/pure/states";
import { useStates } from "@/live/hooks";
import { Button, IconButton, Spinner } from "@/ui/button";
import { CliMenu } from "@/ui/copy";
import { cx } from "@/ui/cx";
import { Icon } from "@/ui/icons";
import { Empty, Loading } from "@/ui/notes";

export function ServiceTerminal() {
  const { environmentId, serviceId } = useServicePlace();
  const { service } = useService();
  const at = useServicePath(service);
  const environment = useQuery(environmentQuery(environmentId)).data;
  const state = useStates(environmentId)[serviceId];
  const [began, setBegan] = useState(false);
  const { role, may } = useRights();
  const past = environment && <PastSessions organizationId={environment.organization.id} serviceId={serviceId} />;
  if (role && environment && !may("shell")) {
    return (
      <div>
        <NotForYou what="Terminals aren't open to you" needs="DevOps" />
        {past}
      </div>
    );
  }
  if (!service || !environment || !may("shell")) return <Loading />;
  const isDown = state && !["RUNNING", "STARTING", "WARNING"].includes(state.state);
  if (isDown && !began) {
    return (
      <Empty icon="terminal" title="The service does not run">
        It is {runningWord(state.state).label.toLowerCase()}. Deploy it, then a terminal can be opened beside it.
      </Empty>
    );
  }
  const where: Where = {
    organization: environment.organization.id,
    cluster: environment.cluster_id,
    project: environment.project.id,
    environment: environment.id,
    service: service.id,
  };
  return (
    <div>
      <Screen where={where} at={at} name={service.name} onBegin={() => setBegan(true)} />
      {past}
    </div>
  );
}

function Screen({ where, at, name, onBegin }: { where: Where; at: string; name: string; onBegin: () => void }) {
  const host = useRef<HTMLDivElement>(null);
  const terminal = useRef<Terminal>(undefined);
  const [state, setState] = useState<SessionState>({ kind: "connecting" });
  const [attempt, setAttempt] = useState(0);
  const [wide, setWide] = useState(false);
  const isDark = useIsDark();
  const key = Object.values(where).join();

  useEffect(() => {
    if (!host.current) return;
    onBegin();
    return start(host.current, where, setState, (made) => (terminal.current = made));
    // eslint-disable-next-line react-hooks/exhaustive-deps -- a session per place and attempt
  }, [key, attempt]);

  useEffect(() => {
    if (terminal.current) terminal.current.options.theme = isDark ? DARK : LIGHT;
  }, [isDark, attempt, key]);

  const isOver = state.kind === "ended" || state.kind === "lost";
  return (
    <section aria-label={`Terminal in ${name}`} className={cx("flex flex-col overflow-hidden bg-log", wide ? "fixed inset-0 z-40" : "h-[calc(100dvh-15rem)] min-h-80 rounded-lg border border-line")}>
      <header className="flex items-center gap-2 border-b border-line bg-surface py-1 pl-3 pr-1 text-sm">
        <Status state={state} name={name} />
        <span className="ml-auto flex items-center gap-1">
          <span className="mr-1 text-xs text-muted max-md:hidden">Sessions are written to the audit log.</span>
          {isOver && (
            <Button small icon="restart" onClick={() => setAttempt(attempt + 1)}>
              New session
            </Button>
          )}
          <CliMenu commands={[{ does: "The same terminal on your machine", command: command("shell", at) }]} />
          <IconButton icon="expand" label={wide ? "Back to the page" : "Fill the window"} pressed={wide} onClick={() => setWide(!wide)} />
        </span>
      </header>
      <div ref={host} className={cx("min-h-0 flex-1 py-2 pl-3", isOver && "opacity-60")} />
    </section>
  );
}

function Status({ state, name }: { state: SessionState; name: string }) {
  if (state.kind === "connecting") {
    return (
      <span role="status" className="flex items-center gap-2 text-muted">
        <Spinner /> Opening a terminal in {name}…
      </span>
    );
  }
  if (state.kind === "open") {
    return (
      <span role="status" className="flex items-center gap-2">
        <Icon name="terminal" className="text-good" /> {name}
      </span>
    );
  }
  return (
    <span role="alert" className={cx("min-w-0 truncate", state.kind === "lost" ? "text-bad" : "text-muted")}>
      {state.text}
    </span>
  );
}

function start(host: HTMLElement, where: Where, changed: (state: SessionState) => void, made: (terminal: Terminal) => void): () => void {
  const style = getComputedStyle(document.documentElement);
  const terminal = new Terminal({
    fontFamily: style.getPropertyValue("--font-mono") || "monospace",
    fontSize: 13,
    scrollback: 5_000,
    cursorBlink: true,
    macOptionIsMeta: true,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(host);
  fit.fit();
  made(terminal);
  const session = new Session(where, {
    columns: terminal.cols,
    rows: terminal.rows,
    write: (data) => terminal.write(data),
    changed,
  });
  terminal.onData((data) => session.type(data));
  terminal.onResize(({ cols, rows }) => session.resize(cols, rows));
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(host);
  session.open();
  terminal.focus();
  return () => {
    observer.disconnect();
    session.close();
    terminal.dispose();
  };
}
