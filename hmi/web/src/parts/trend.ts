// A trend of one to four tags: history from the server, then live. Bad or missing data is a gap.
import { html, nothing, type PropertyValues } from "lit";
import uPlot from "uplot";
import { history } from "../api";
import { Panel } from "../element";
import { numberText, quality, unitText } from "../format";
import { live } from "../live";
import type { History, Limit, Tag } from "../model";
import { who } from "../session";

const SPANS: [string, number][] = [["10 min", 600], ["1 h", 3600], ["8 h", 28_800], ["24 h", 86_400], ["7 d", 604_800], ["30 d", 2_592_000], ["1 y", 31_536_000]];
const PENS = ["--pen-1", "--pen-2", "--pen-3", "--pen-4"];
const LONGEST_MS = 10 * 31_536_000_000;
const DASHES: (number[] | undefined)[] = [undefined, [8, 4], [2, 3], [10, 3, 2, 3]];

interface Curve {
  t: number[];
  v: (number | null)[];
}

export class Trend extends Panel {
  static override properties = { tags: { attribute: false }, limits: { attribute: false }, spanS: { type: Number } };
  declare tags: Tag[];
  declare limits: Limit[];
  declare spanS: number;
  private plot: uPlot | null = null;
  private curves: Curve[] = [];
  private fixed: [number, number] | null = null;
  private problem = "";
  private loading = 0;
  private waiting = false;
  private unwatch: (() => void) | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private resize: ResizeObserver | null = null;

  constructor() {
    super();
    this.tags = [];
    this.limits = [];
    this.spanS = 600;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "link");
    this.timer = setInterval(() => this.tick(), 1000);
    if (this.hasUpdated) void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
    this.unwatch?.();
    this.resize?.disconnect();
    this.resize = null;
    this.plot?.destroy();
    this.plot = null;
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("tags") || changed.has("spanS")) void this.load();
  }

  override render() {
    return html`<figure class="trend">
      <div class="spans" role="group" aria-label="Time span">
        ${SPANS.map(([text, seconds]) => html`<button aria-pressed=${this.spanS === seconds && !this.fixed}
          @click=${() => { this.fixed = null; this.spanS = seconds; void this.load(); }}>${text}</button>`)}
        <span class="moves">
          <button @click=${() => this.move(-1)} aria-label="Earlier" title="Earlier">◀</button>
          <button @click=${() => this.move(1)} aria-label="Later" title="Later" ?disabled=${!this.fixed}>▶</button>
          <button @click=${() => this.widen()} aria-label="Show more time" title="Show more time">−</button>
        </span>
        ${this.fixed ? html`<button class="main" @click=${() => { this.fixed = null; void this.load(); }}>Back to live</button>` : nothing}
      </div>
      <div class="plot" role="img" aria-label=${this.summary()}></div>
      <figcaption>
        ${this.tags.map((tag, index) => html`<span class="pen pen-${index + 1}"><i aria-hidden="true"></i>${tag.path}${tag.unit ? ` [${unitText(tag.unit)}]` : ""}</span>`)}
        <span class="problem" role="status">${this.problem || nothing}</span>
        ${this.waiting ? html`<span>Loading…</span>` : nothing}
      </figcaption>
    </figure>`;
  }

  private range(): [number, number] {
    if (this.fixed) return this.fixed;
    const now = live.nowMs;
    return [now - this.spanS * 1000, now];
  }

  /** By half of what is shown; back at the present it is live again. */
  private move(way: number): void {
    const [start, end] = this.range();
    const by = (way * (end - start)) / 2;
    this.show(start + by, end + by);
  }

  private widen(): void {
    const [start, end] = this.range();
    this.show(start - (end - start) / 2, end + (end - start) / 2);
  }

  private show(start: number, end: number): void {
    const now = live.nowMs;
    const width = Math.min(end - start, LONGEST_MS);
    const last = Math.min(end, now);
    const span = SPANS.find(([, seconds]) => Math.abs(seconds * 1000 - width) < width / 100);
    this.fixed = end >= now - width / 20 && span ? null : [last - width, last];
    if (span && !this.fixed) this.spanS = span[1];
    void this.load();
  }

  private async load(): Promise<void> {
    const turn = ++this.loading;
    const tags = this.tags;
    this.unwatch?.();
    this.unwatch = null;
    if (!tags.length || !this.isConnected) return;
    const [start, end] = this.range();
    this.waiting = true;
    this.requestUpdate();
    const width = Math.min(4000, Math.max(200, Math.round(this.clientWidth * devicePixelRatio)));
    this.dispatchEvent(new CustomEvent<[number, number]>("range", { detail: [start, end] }));
    try {
      const found = await Promise.all(tags.map((tag) => history(tag.path, start, end, width)));
      if (turn !== this.loading || !this.isConnected) return;
      this.problem = found.some((h) => h.truncated) ? "Too many samples: the end is missing. Choose less time." : "";
      this.curves = found.map((h: History) => ({ t: h.t, v: h.v }));
    } catch (error) {
      if (turn !== this.loading) return;
      this.problem = `No history: ${error instanceof Error ? error.message : String(error)}`;
      this.curves = tags.map(() => ({ t: [], v: [] }));
    }
    this.waiting = false;
    if (!this.fixed) {
      this.unwatch = live.watch(tags.map((tag) => tag.path), (paths) => {
        tags.forEach((tag, index) => paths.has(tag.path) && this.extend(index, tag));
        this.draw();
      });
    }
    this.requestUpdate();
    this.build();
  }

  /** The newest sample of a tag as a point; not good or lost is a gap. */
  private extend(index: number, tag: Tag): void {
    const sample = live.samples.get(tag.path);
    const curve = this.curves[index];
    if (!sample || !curve) return;
    const kind = quality(sample.status);
    const value = sample.value === null || typeof sample.value === "string" || kind === "bad" || kind === "stale" ? null : Number(sample.value);
    const time = Math.max(sample.sourceMs, curve.t.at(-1) ?? 0);
    const before = curve.v.at(-1);
    // It stood still until now, or until it went bad.
    const rested = time - (curve.t.at(-1) ?? 0) > 1500 || value === null;
    if (rested && before !== undefined && before !== null) {
      curve.t.push(time - 1);
      curve.v.push(before);
    }
    curve.t.push(time);
    curve.v.push(value);
  }

  /** Each second: carries the last value on to now, while it lives. */
  private tick(): void {
    if (this.fixed || !this.plot) return;
    if (live.link === "live") {
      const from = this.range()[0] - 60_000;
      for (const curve of this.curves) {
        const cut = curve.t.findIndex((t) => t > from);
        if (cut > 500) {
          curve.t.splice(0, cut);
          curve.v.splice(0, cut);
        }
      }
    }
    this.draw();
    this.requestUpdate();
  }

  private data(): uPlot.AlignedData {
    const now = live.nowMs;
    const tables = this.curves.map((curve, index) => {
      const t = curve.t.map((ms) => ms / 1000);
      const v = [...curve.v];
      const last = v.at(-1);
      const path = this.tags[index]?.path;
      if (!this.fixed && last !== undefined && last !== null && path && live.link === "live" && live.samples.has(path)) {
        t.push(Math.max(now / 1000, t.at(-1) ?? 0));
        v.push(last);
      }
      return [t, v] as uPlot.AlignedData;
    });
    if (!tables.length) return [[]];
    return uPlot.join(tables, tables.map(() => [0, 2]));
  }

  private draw(): void {
    if (!this.plot) return;
    const [start, end] = this.range();
    this.plot.setData(this.data(), false);
    this.plot.batch(() => {
      this.plot?.setScale("x", { min: start / 1000, max: end / 1000 });
      for (const scale of this.scales()) this.plot?.setScale(scale.key, { min: scale.min, max: scale.max });
    });
  }

  /** One y scale per unit; the first on the left, the second on the right. */
  private scales(): { key: string; min: number; max: number }[] {
    const [start] = this.range();
    const out = new Map<string, { key: string; min: number; max: number; decimals: number; range: [number, number] | null }>();
    this.tags.forEach((tag, index) => {
      const key = scaleOf(tag);
      const scale = out.get(key) ?? { key, min: Infinity, max: -Infinity, decimals: tag.decimals, range: tag.range };
      const curve = this.curves[index];
      curve?.v.forEach((value, at) => {
        if (value === null || (curve.t[at + 1] ?? Infinity) < start) return;
        scale.min = Math.min(scale.min, value);
        scale.max = Math.max(scale.max, value);
      });
      if (tag.type === "bool") [scale.min, scale.max] = [0, 1];
      const numbers = Object.keys(tag.states).map(Number);
      if (numbers.length) [scale.min, scale.max] = [Math.min(...numbers), Math.max(...numbers)];
      out.set(key, scale);
    });
    return [...out.values()].map(({ key, min, max, range }) => {
      if (!Number.isFinite(min)) [min, max] = range ?? [0, 1];
      const least = range ? (range[1] - range[0]) / 50 : 10 ** -2;
      const pad = Math.max((max - min) * 0.08, (least - (max - min)) / 2, 1e-6);
      return { key, min: min - pad, max: max + pad };
    });
  }

  private build(): void {
    const host = this.querySelector<HTMLElement>(".plot");
    if (!host) return;
    this.plot?.destroy();
    const css = getComputedStyle(this);
    const color = (name: string) => css.getPropertyValue(name).trim();
    const font = `12px ${css.fontFamily}`;
    const keys = this.scales().map((scale) => scale.key);
    const axis = { stroke: color("--text"), font, grid: { stroke: color("--grid"), width: 1 }, ticks: { stroke: color("--grid"), width: 1 } };
    const size = () => ({ width: Math.max(160, host.clientWidth), height: Math.max(160, host.clientHeight) });
    const timezone = who.session.timezone;
    this.plot = new uPlot({
      ...size(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timezone),
      legend: { show: true, live: true },
      cursor: { drag: { x: true, y: false, setScale: false } },
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      scales: { x: { time: true, auto: false }, ...Object.fromEntries(keys.map((key) => [key, { auto: false }])) },
      axes: [
        { ...axis, values: (_, ticks, __, ___, step) => ticks.map((t) => tickText(t, step, timezone)) },
        ...keys.slice(0, 2).map((key, index) => {
          const states = this.tags.find((tag) => scaleOf(tag) === key && discrete(tag))?.states;
          return {
            ...axis, scale: key, side: index ? 1 : 3, size: states ? 92 : 56, grid: { ...axis.grid, show: index === 0 },
            ...(states ? { incrs: [1, 2, 5, 10], space: 14 } : {}),
            values: (_: uPlot, ticks: number[]) => ticks.map((t) => (states ? stateText(states, t) : `${+t.toPrecision(6)}`.replace("-", "−"))),
          };
        }),
      ],
      series: [
        { label: "Time", value: (_, t) => (t === null ? "–" : new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium", timeZone: timezone }).format(t * 1000)) },
        ...this.tags.map((tag, index) => ({
          label: tag.path, scale: scaleOf(tag), stroke: color(PENS[index % 4] as string), width: 1.6,
          ...(DASHES[index % 4] ? { dash: DASHES[index % 4] as number[] } : {}),
          ...(tag.step || tag.type === "bool" || tag.type.includes("int") ? { paths: uPlot.paths.stepped?.({ align: 1 }) } : {}),
          points: { show: false }, spanGaps: false,
          value: (_: uPlot, v: number | null) => (v === null || v === undefined ? "–" : (tag.states[String(v)] ?? `${numberText(v, tag.decimals)}${tag.unit ? ` ${unitText(tag.unit)}` : ""}`)),
        })),
      ],
      hooks: { setSelect: [(plot) => this.zoom(plot)], draw: [(plot) => this.drawLimits(plot, color)] },
    }, this.data(), host);
    this.draw();
    if (!this.resize) {
      this.resize = new ResizeObserver(() => this.plot?.setSize(size()));
      this.resize.observe(host);
    }
  }

  private zoom(plot: uPlot): void {
    if (plot.select.width < 8) return;
    const at = (x: number) => plot.posToVal(x, "x") * 1000;
    this.fixed = [at(plot.select.left), at(plot.select.left + plot.select.width)];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    void this.load();
  }

  private drawLimits(plot: uPlot, color: (name: string) => string): void {
    const scale = this.tags[0] ? scaleOf(this.tags[0]) : "";
    const { ctx, bbox } = plot;
    ctx.save();
    for (const limit of this.limits) {
      const y = plot.valToPos(limit.limit, scale, true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = color("--limit");
      ctx.fillStyle = color("--text");
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.fillText(limit.path.slice(limit.path.lastIndexOf("/") + 1), bbox.left + 4 * devicePixelRatio, y - 3 * devicePixelRatio);
    }
    ctx.restore();
  }

  private summary(): string {
    return this.tags.map((tag, index) => {
      const values = this.curves[index]?.v.filter((v) => v !== null) ?? [];
      if (!values.length) return `Trend of ${tag.path}: no data`;
      const text = (value: number) => numberText(value, tag.decimals);
      const [low, high] = values.reduce(([l, h], v) => [Math.min(l, v), Math.max(h, v)], [Infinity, -Infinity]);
      return `Trend of ${tag.path}: lowest ${text(low)}, highest ${text(high)}, last ${text(values.at(-1) as number)} ${tag.unit ?? ""}`;
    }).join("; ");
  }
}

const discrete = (tag: Tag) => tag.type === "bool" || Object.keys(tag.states).length > 0;
/** Tags of one unit share a scale; each discrete tag has its own. */
const scaleOf = (tag: Tag) => (discrete(tag) ? tag.path : (tag.unit ?? "value"));

function stateText(states: Record<string, string>, value: number): string {
  if (!Object.keys(states).length) return { 0: "Off", 1: "On" }[value] ?? "";
  return states[String(value)] ?? "";
}

function tickText(seconds: number, step: number, timeZone: string): string {
  const format: Intl.DateTimeFormatOptions = step >= 86_400
    ? { month: "2-digit", day: "2-digit", timeZone }
    : { hour: "2-digit", minute: "2-digit", ...(step < 60 ? { second: "2-digit" } : {}), hourCycle: "h23", timeZone };
  return new Intl.DateTimeFormat("sv-SE", format).format(seconds * 1000);
}
customElements.define("scada-trend", Trend);
