/**
 * The lines of one channel, live and from history, shared by every view of it on the page.
 *
 * Lines are kept outside React: batches arrive many times a second, and views read them a few times a second at most.
 * A service's own log begins at its newest lines and is read backwards on demand; the log of a deployment begins at
 * its first line and is read forwards to the end.
 */

import type { PublicationContext } from "centrifuge";

import { listen, subscriptionOf } from "@/live/connection";
import { LogBuffer, type WireBatch } from "@/pure/logs/buffer";

const PAGE = 200; // batches, not lines
const FEW = 50;
const LINGER_MS = 10_000;
const GATHER_MS = 60;

export type History = "loading" | "more" | "complete" | "failed";

export class LogStore {
  readonly buffer = new LogBuffer();
  history: History = "loading";
  refused = "";
  /** Counts changes: what views watch. */
  private version = 0;
  private readonly watchers = new Set<() => void>();
  private received = 0;
  private lowest = 0;
  private highest = 0;
  private due: ReturnType<typeof setTimeout> | undefined;
  private end: (() => void) | undefined;
  private leaving: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly channel: string,
    private readonly fromStart: boolean,
  ) {}

  watch = (watcher: () => void): (() => void) => {
    clearTimeout(this.leaving);
    this.watchers.add(watcher);
    if (!this.end) this.begin();
    return () => {
      this.watchers.delete(watcher);
      if (this.watchers.size === 0) this.leaving = setTimeout(() => this.stop(), LINGER_MS);
    };
  };

  read = (): number => this.version;

  /** Load what came before the oldest line that is here. */
  async older(): Promise<void> {
    if (this.history === "loading") return;
    this.history = "loading";
    this.changed();
    await this.ask(async () => {
      const since = this.lowest > 0 ? { since: { offset: this.lowest, epoch: "" } } : {};
      this.history = (await this.page({ reverse: true, ...since })) > 0 ? "more" : "complete";
    });
  }

  private begin(): void {
    this.end = listen(
      this.channel,
      {
        publication: (data, context) => {
          this.take([{ ...context, data }]);
          this.changed();
        },
        subscribed: ({ wasRecovering, recovered }) => {
          this.refused = "";
          // What the subscription begins with arrives right after this call.
          setTimeout(() => void this.began(Boolean(wasRecovering && !recovered)), 0);
        },
        refused: (_, message) => {
          this.refused = message;
          this.history = "failed";
          this.changed();
        },
      },
      this.fromStart ? { history: 1000 } : {},
    );
  }

  private async began(missed: boolean): Promise<void> {
    if (this.fromStart || missed) await this.ask(() => this.forwards());
    if (this.history !== "failed") this.history = this.fromStart || this.lowest === 0 ? "complete" : "more";
    this.changed();
    if (this.history === "more" && this.received < FEW) await this.older(); // most often it says: that was all
  }

  /** Everything behind what is here, page by page. */
  private async forwards(): Promise<void> {
    while (this.highest > 0 && (await this.page({ since: { offset: this.highest, epoch: "" } })) > 0);
  }

  private async page(where: { since?: { offset: number; epoch: string }; reverse?: boolean }): Promise<number> {
    const subscription = subscriptionOf(this.channel);
    if (!subscription) return 0;
    const { publications } = await subscription.history({ limit: PAGE, ...where });
    this.take(publications);
    return publications.length;
  }

  private async ask(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch {
      this.history = "failed";
    }
    this.changed();
  }

  private take(publications: PublicationContext[]): void {
    this.buffer.add(publications.map(({ data }) => data as WireBatch));
    this.received += publications.length;
    for (const { offset } of publications) {
      if (!offset) continue;
      this.lowest = this.lowest === 0 ? offset : Math.min(this.lowest, offset);
      this.highest = Math.max(this.highest, offset);
    }
  }

  private stop(): void {
    this.end?.();
    this.end = undefined;
    stores.delete(this.channel);
  }

  private changed(): void {
    if (this.due) return;
    // Not a frame: hidden tabs draw none, and lines that wait for one would pile up.
    this.due = setTimeout(() => {
      this.due = undefined;
      this.version++;
      for (const watcher of this.watchers) watcher();
    }, GATHER_MS);
  }
}

const stores = new Map<string, LogStore>();

function storeOf(channel: string, fromStart: boolean): LogStore {
  let store = stores.get(channel);
  if (!store) stores.set(channel, (store = new LogStore(channel, fromStart)));
  return store;
}

/** What a running service says. */
export const serviceLog = (serviceId: string): LogStore => storeOf(`logs:${serviceId}`, false);

/** What was said while a deployment built or deployed a service. */
export const stepLog = (serviceId: string, stepKind: string, deploymentId: string): LogStore =>
  storeOf(`logs:${serviceId}:${stepKind.toLowerCase() === "build" ? "build" : "deploy"}:${deploymentId}`, true);
