/**
 * The one WebSocket of the page, and its channels.
 *
 * A channel is subscribed once however many parts of the page listen, and stays open for a moment after the last one
 * left, so that walking between pages doesn't drop and reload it. Connecting again is the library's work; what we add
 * is saying since when data may be stale.
 */

import { Centrifuge, type PublicationContext, type SubscribedContext, type Subscription } from "centrifuge";

const LINGER_MS = 3_000;

export interface Listener {
  publication: (data: unknown, context: PublicationContext) => void;
  /** Each time the subscription begins or comes back; `recovered` false: what was missed has to be loaded again. */
  subscribed?: (context: SubscribedContext) => void;
  refused?: (code: number, message: string) => void;
}

export interface Options {
  /** How many of its kept publications the channel begins with; left out: what is usual for its kind. */
  history?: number;
}

interface Channel {
  subscription: Subscription;
  listeners: Set<Listener>;
  leaving?: ReturnType<typeof setTimeout> | undefined;
}

export type Connection = { state: "idle" | "connecting" | "connected" | "lost"; since: number };

let client: Centrifuge | undefined;
let whenRefused: () => void = () => undefined;
let connection: Connection = { state: "idle", since: 0 };
const channels = new Map<string, Channel>();
const watchers = new Set<() => void>();

export const readConnection = (): Connection => connection;

export function watchConnection(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** What to do when the gateway won't have us: most often the session is over. */
export function onRefused(callback: () => void): void {
  whenRefused = callback;
}

/** Listen to a channel; gives the function that ends it. */
export function listen(name: string, listener: Listener, options: Options = {}): () => void {
  const channel = channels.get(name) ?? open(name, options);
  clearTimeout(channel.leaving);
  channel.listeners.add(listener);
  return () => {
    channel.listeners.delete(listener);
    if (channel.listeners.size === 0) channel.leaving = setTimeout(() => close(name), LINGER_MS);
  };
}

/** The subscription of a channel that is listened to, for its history. */
export const subscriptionOf = (name: string): Subscription | undefined => channels.get(name)?.subscription;

/** End everything: the person logged out. */
export function disconnect(): void {
  for (const name of [...channels.keys()]) close(name);
  const ending = client;
  client = undefined;
  ending?.removeAllListeners();
  ending?.disconnect();
  move("idle");
}

/** Don't wait for the next attempt. */
export function reconnectNow(): void {
  if (connection.state === "connected" || !client) return;
  const told = whenRefused;
  whenRefused = () => undefined;
  client.disconnect();
  whenRefused = told;
  client.connect();
}

function open(name: string, options: Options): Channel {
  const subscription = connected().newSubscription(name, options.history === undefined ? {} : { data: { history: options.history } });
  const channel: Channel = { subscription, listeners: new Set() };
  channels.set(name, channel);
  subscription.on("publication", (context) => channel.listeners.forEach((each) => each.publication(context.data, context)));
  subscription.on("subscribed", (context) => channel.listeners.forEach((each) => each.subscribed?.(context)));
  subscription.on("unsubscribed", ({ code, reason }) => channel.listeners.forEach((each) => each.refused?.(code, reason)));
  subscription.on("error", () => undefined); // the library tries again; a lasting refusal arrives as `unsubscribed`
  subscription.subscribe();
  return channel;
}

function close(name: string): void {
  const channel = channels.get(name);
  if (!channel) return;
  channels.delete(name);
  channel.subscription.unsubscribe();
  client?.removeSubscription(channel.subscription);
}

function connected(): Centrifuge {
  if (client) return client;
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  client = new Centrifuge(`${scheme}://${location.host}/connection/websocket`, {
    minReconnectDelay: 300,
    maxReconnectDelay: 8_000,
    timeout: 10_000,
  });
  client.on("connected", () => move("connected"));
  client.on("connecting", ({ code }) => move(code === 0 ? "connecting" : "lost"));
  client.on("disconnected", () => {
    move("lost");
    whenRefused(); // the library gives up only when it is told to stay away
  });
  client.on("error", () => connection.state === "connecting" && move("lost"));
  client.connect();
  move("connecting");
  return client;
}

function move(state: Connection["state"]): void {
  if (connection.state === state) return;
  connection = { state, since: Date.now() };
  for (const watcher of watchers) watcher();
}
