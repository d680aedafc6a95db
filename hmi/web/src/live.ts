// One WebSocket: asks for the tags that the page shows, keeps their last samples, and knows whether they are live.
import type { Alarm, Counts, Heartbeat, RequestEvent, Value } from "./model";

export interface Sample {
  value: Value;
  status: number;
  sourceMs: number;
  /** Age in ms when it arrived, and when that was (performance.now()). */
  ageMs: number;
  at: number;
}

type Row = [value: Value, status: number, source_ms: number, age_ms: number];
type Message = {
  snapshot?: Record<string, Row>;
  changes?: Record<string, Row>;
  unknown?: string[];
  n?: number;
  alarm_list?: Alarm[];
  request?: RequestEvent;
  build?: string;
  error?: string;
} & Partial<Heartbeat>;

export type Link = "connecting" | "live" | "lost";
/** Three heartbeats of 1 s missed, and a little for the way. */
const LOST_MS = 3200;

interface Watch {
  paths: Set<string>;
  changed: (paths: ReadonlySet<string>) => void;
}

const zero = { critical: 0, high: 0, medium: 0, low: 0 };

/** Events: `link` (state changed), `beat` (1 Hz), `alarms` (list changed), `request` (an outcome). */
export class Live extends EventTarget {
  readonly samples = new Map<string, Sample>();
  link: Link = "connecting";
  alarms: Alarm[] = [];
  counts: Counts = { unacknowledged: { ...zero }, active: { ...zero } };
  heartbeat: Heartbeat | null = null;
  unknown = new Set<string>();
  private watches = new Set<Watch>();
  private agesOf: string[] = [];
  private socket: WebSocket | null = null;
  private expected = 0;
  private beatAt = performance.now();
  private retryMs = 500;
  private sendQueued = false;
  private build = "";

  constructor(private readonly url: string) {
    super();
  }

  start(): void {
    this.connect();
    setInterval(() => this.checkLink(), 500);
  }

  /** Server time now, ms UTC. */
  get nowMs(): number {
    return this.heartbeat ? this.heartbeat.utc_ms + (performance.now() - this.beatAt) : Date.now();
  }

  /** Seconds since the last heartbeat. */
  get silenceS(): number {
    return (performance.now() - this.beatAt) / 1000;
  }

  /** Seconds since the sample was made. */
  ageS(sample: Sample): number {
    return (sample.ageMs + performance.now() - sample.at) / 1000;
  }

  /** Follows tags until the returned function is called. `changed` gets the paths that have news, batched. */
  watch(paths: Iterable<string>, changed: Watch["changed"]): () => void {
    const watch = { paths: new Set(paths), changed };
    this.watches.add(watch);
    this.queueSend();
    const known = new Set([...watch.paths].filter((path) => this.samples.has(path)));
    if (known.size) queueMicrotask(() => this.watches.has(watch) && changed(known));
    return () => {
      this.watches.delete(watch);
      this.queueSend();
    };
  }

  /** Tags whose age is shown in figures: their times come with each heartbeat. */
  watchAges(paths: string[]): void {
    this.agesOf = paths.slice(0, 16);
    this.queueSend();
  }

  private connect(): void {
    this.expected = 0;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => this.sendTags();
    socket.onmessage = (event) => this.take(JSON.parse(event.data as string) as Message);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      setTimeout(() => this.connect(), this.retryMs * (0.75 + Math.random() / 2));
      this.retryMs = Math.min(this.retryMs * 2, 5000);
    };
  }

  private queueSend(): void {
    if (this.sendQueued) return;
    this.sendQueued = true;
    queueMicrotask(() => {
      this.sendQueued = false;
      this.sendTags();
    });
  }

  private sendTags(): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const tags = new Set<string>();
    for (const watch of this.watches) for (const path of watch.paths) tags.add(path);
    for (const path of this.samples.keys()) if (!tags.has(path)) this.samples.delete(path);
    this.socket.send(JSON.stringify({ tags: [...tags], ages: this.agesOf }));
  }

  private take(message: Message): void {
    const at = performance.now();
    if (message.build !== undefined) {
      // Pages stay open for weeks: after an upgrade of the server the page fetches itself anew.
      if (this.build && this.build !== message.build) location.reload();
      this.build = message.build;
    }
    if (message.n !== undefined && message.n !== ++this.expected) {
      this.socket?.close();
      return;
    }
    if (message.unknown) this.unknown = new Set(message.unknown);
    const rows = message.snapshot ?? message.changes;
    if (rows) this.takeRows(rows, at);
    if (message.alarm_list) {
      this.alarms = message.alarm_list;
      this.dispatchEvent(new Event("alarms"));
    }
    if (message.request) this.dispatchEvent(new CustomEvent("request", { detail: message.request }));
    if (message.heartbeat !== undefined) {
      this.heartbeat = message as Heartbeat;
      this.counts = this.heartbeat.alarms;
      this.beatAt = at;
      this.retryMs = 500;
      for (const [path, [sourceMs, ageMs]] of Object.entries(message.ages ?? {})) {
        const sample = this.samples.get(path);
        if (sample) this.samples.set(path, { ...sample, sourceMs, ageMs, at });
      }
      this.setLink("live");
      this.dispatchEvent(new Event("beat"));
    }
  }

  private takeRows(rows: Record<string, Row>, at: number): void {
    for (const [path, [value, status, sourceMs, ageMs]] of Object.entries(rows)) {
      this.samples.set(path, { value, status, sourceMs, ageMs, at });
    }
    for (const watch of this.watches) {
      const news = new Set(Object.keys(rows).filter((path) => watch.paths.has(path)));
      if (news.size) watch.changed(news);
    }
  }

  private checkLink(): void {
    if (performance.now() - this.beatAt <= LOST_MS) return;
    if (this.link === "live" && this.socket?.readyState === WebSocket.OPEN) this.socket.close();
    this.setLink("lost");
    this.dispatchEvent(new Event("beat"));
  }

  private setLink(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    document.documentElement.dataset.link = link;
    this.dispatchEvent(new Event("link"));
  }
}

const base = new URL("ws", document.baseURI);
base.protocol = base.protocol.replace("http", "ws");
export const live = new Live(base.href);
