// The panel of one tag: value, quality, age, who wrote last, trend, its block with modes and commands, writing.
import { html, nothing, svg, type PropertyValues } from "lit";
import * as api from "../api";
import { Panel } from "../element";
import { ageText, alarmState, dateTimeText, quality, qualityText, shortPath, unitText, valueText } from "../format";
import { live } from "../live";
import type { Alarm, Block, RequestEvent, Tag, TagDetail } from "../model";
import { openAlarm } from "../parts/alarm";
import { priorityMark, reading, stateMarks, tagLink } from "../parts/marks";
import { openWrite } from "../parts/write";
import { link } from "../route";
import { who } from "../session";
import "../parts/trend";

/** Lines of a faceplate whose writing has a button of its own name above, or is left to the block. */
const BUTTONS = new Set(["Command", "Start", "Reset"]);
const FINAL = ["confirmed", "timed out", "mismatched"];

/** Points that have no line of their own: of a matrix those of its causes and effects, of an own block its outputs. */
function others(block: Block, shown: Set<string | undefined>): [string, string][] {
  const text = (name: string) => {
    const [of, point] = name.split("/");
    if (point === "CAUSE") return `${of}, first cause`;
    return point ? (of as string) : name.charAt(0) + name.slice(1).toLowerCase().replaceAll("_", " ");
  };
  // A cause's state says whether it is active or bypassed.
  const said = (name: string) => `${name.replace(/\/(ACTIVE|BYPASSED)$/, "")}/STATE` in block.points;
  return Object.entries(block.points)
    .filter(([name, path]) => !shown.has(path) && !(/\/(ACTIVE|BYPASSED)$/.test(name) && said(name)))
    .map(([name, path]) => [text(name), path]);
}

export class TagPanel extends Panel {
  static override properties = { path: {} };
  declare path: string;
  private detail: TagDetail | null = null;
  private tags = new Map<string, Tag>();
  private trended: Tag[] = [];
  private problem = "";
  private unwatch: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "beat", "alarms", "link");
    this.follow(who, "session");
    const news = (event: Event) => this.written((event as CustomEvent<RequestEvent>).detail);
    live.addEventListener("request", news);
    this.later(() => live.removeEventListener("request", news));
    if (this.hasUpdated) void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.unwatch?.();
    live.watchAges([]);
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("path")) void this.load();
  }

  override render() {
    const detail = this.detail;
    return html`<aside class="tag-panel" aria-label="Details of ${this.path}">
      <header>
        <h2 tabindex="-1">${this.path}</h2>
        <a class="close" href=${link({ tag: "" })} aria-label="Close details">✕</a>
      </header>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      ${detail ? this.content(detail) : nothing}
    </aside>`;
  }

  private content(detail: TagDetail) {
    const sample = live.samples.get(detail.path);
    const kind = sample ? quality(sample.status) : "stale";
    const at = (path: string | null) => (path ? live.samples.get(path)?.value : undefined);
    const mode = at(detail.mode);
    const writable = detail.writable ? detail : undefined;
    return html`
      <p class="description">${detail.description}</p>
      <div class="big" data-quality=${kind}>
        ${reading(detail, sample)}
        ${stateMarks({ local: at(detail.remote) === false, manual: mode === 1, off: mode === 0, forced: kind === "forced" })}
        ${writable ? this.writeButton(writable, "Change…") : nothing}
      </div>
      <dl class="facts">
        <div><dt>Quality</dt><dd data-quality=${kind}>${sample ? qualityText(sample.status) : "No value yet"}</dd></div>
        <div><dt>Age</dt><dd>${sample ? ageText(live.ageS(sample)) : "–"}</dd></div>
        <div><dt>Measured</dt><dd>${sample && sample.sourceMs > 0 ? dateTimeText(sample.sourceMs) : "–"}</dd></div>
        ${detail.range ? html`<div><dt>Range</dt><dd>${detail.range[0]} … ${detail.range[1]} ${unitText(detail.unit ?? "")}</dd></div>` : nothing}
        ${detail.limits ? html`<div><dt>Limits</dt><dd>${detail.limits[0]} … ${detail.limits[1]} ${unitText(detail.unit ?? "")}</dd></div>` : nothing}
        ${detail.command ? html`<div><dt>${detail.kind === "command" ? "Value" : "Command"}</dt><dd>${this.named(detail.command)}</dd></div>` : nothing}
        ${detail.owner ? html`<div><dt>Held by</dt><dd>${{ scada: "control", plc: "the PLC, on request", shared: "control and a panel in the field" }[detail.owner] ?? detail.owner}</dd></div>` : nothing}
        <div><dt>Source</dt><dd>${detail.device ?? detail.kind}${detail.scan_s ? `, asked each ${detail.scan_s} s` : ""}, ${detail.type}</dd></div>
        ${detail.writable ? html`<div><dt>Last written</dt><dd>${this.lastWrite(detail)}</dd></div>` : nothing}
      </dl>
      ${[...detail.blocks].sort((a, b) => Number(a.type === "interlock") - Number(b.type === "interlock")).map((block) => this.block(block))}
      ${detail.alarms.length ? this.alarms(detail.alarms) : nothing}
      ${detail.type === "string" || !detail.history ? nothing : html`<scada-trend .tags=${this.trended} .limits=${detail.limit_alarms}></scada-trend>
        <p class="wide"><a href=${link({ page: "trend", name: this.trended.map((tag) => tag.path).join(","), tag: "" })}>Show as trend page</a></p>`}
      ${detail.related.length ? html`<details><summary>Tags that belong to it (${detail.related.length})</summary><table class="list">
        ${detail.related.map((tag) => html`<tr><th scope="row">${tagLink(tag.path)}</th><td class="n">${reading(tag, live.samples.get(tag.path))}</td></tr>`)}</table></details>` : nothing}
      ${detail.display ? html`<p><a href=${link({ page: "display", name: detail.display, tag: detail.path })}>Show on display “${detail.display}”</a></p>` : nothing}`;
  }

  /** Its alarms, also at rest: what is to be worked on is put aside before it shouts. */
  private alarms(alarms: Alarm[]) {
    return html`<section class="faceplate own-alarms" aria-label="Alarms"><h3>Alarms</h3><table>${alarms.map((found) => {
      const alarm = live.alarms.find((one) => one.path === found.path) ?? { ...found, bits: 0, aside: null };
      return html`<tr><td>${priorityMark(alarm.priority)}</td><th scope="row">${shortPath(alarm.path)}<span class="hint"> ${alarmState(alarm.bits)}</span></th>
        <td>${who.session.user ? html`<button class="write-button" ?disabled=${live.link !== "live"} aria-haspopup="dialog" aria-label="More… operations on ${alarm.path}" @click=${() => openAlarm(alarm)}>More…</button>` : nothing}</td></tr>`;
    })}</table></section>`;
  }

  private named(path: string) {
    return html`<a class="tag" href=${link({ tag: path })}>${reading(this.tags.get(path), live.samples.get(path))}</a>`;
  }

  private lastWrite(detail: TagDetail) {
    const last = detail.last_write;
    if (!last) return "not since the records begin";
    return html`${valueText(detail, last.value)} by <b>${last.user || "nobody"}</b> (${last.source}), ${last.status}, ${dateTimeText(last.utc_ms)}${
      last.reason ? html`: ${last.reason}` : nothing}`;
  }

  private writeButton(tag: Tag, text: string) {
    const why = live.link !== "live" ? "No live data" : who.session.user ? who.refusal(tag) : "";
    const label = who.session.user ? text : "Sign in to change";
    return html`<button class="write-button" ?disabled=${why !== ""} title=${why || `Change ${tag.path}`} aria-label="${label} ${tag.path}"
      @click=${() => openWrite(tag)}>${label}</button>`;
  }

  /** A block's faceplate: what goes in, what it wants, what comes out, its modes and commands. */
  private block(block: Block) {
    const mode = block.points.MODE;
    const modeTag = mode ? this.tags.get(mode) : undefined;
    const lines: [string, string | undefined][] = [
      ["Value", block.links.pv], ["Set point", block.points.SP ?? block.links.setpoint_tag], ["Output", block.links.out],
      ["Position", block.links.pos], ["State", block.points.STATE], ["Wanted by the program", block.points.AUTO], ["Command", block.points.CMD],
      ["Start", block.links.start], ["Running", block.links.run], ["Local/Remote", block.links.remote], ["Interlock", block.points.ACTIVE], ["Holds", block.links.target],
      ["Tripped", block.points.TRIP], ["Reset", block.points.RESET], ["Discrepancy", block.points.DISCREPANCY],
      ["Result", block.points.OUT], ["Result", block.points.Q], ["Elapsed", block.points.ET], ["Duty", block.points.DUTY], ["Demand", block.points.DEMAND],
      ["Gain", block.points.GAIN], ["Integral time", block.points.TI], ["Derivative time", block.points.TD],
      ["Running hours", block.points.HOURS], ["Starts", block.points.STARTS],
    ];
    lines.push(...others(block, new Set([mode, ...lines.map(([, path]) => path)])));
    return html`<section class="faceplate" aria-label="Block ${block.path}">
      <h3>${shortPath(block.path)} <span class="hint">${block.type.replaceAll("_", " ")}</span></h3>
      ${block.type === "pid" ? this.bars(block) : nothing}
      ${modeTag ? this.modes(modeTag, block) : nothing}
      ${this.commands(block)}
      <table>${lines.filter(([, path]) => path !== undefined && this.tags.has(path)).map(([text, path]) => {
        const tag = this.tags.get(path as string) as Tag;
        return html`<tr><th scope="row"><a class="tag" href=${link({ tag: tag.path })} title=${tag.path}>${text}</a></th>
          <td class="n">${reading(tag, live.samples.get(tag.path))}</td>
          <td>${tag.writable && who.session.user && !BUTTONS.has(text) ? this.writeButton(tag, "Change…") : nothing}</td></tr>`;
      })}</table>
    </section>`;
  }

  /** Start and stop, open and close, reset: what an operator does by hand, by name. */
  private commands(block: Block) {
    const command = block.points.CMD ? this.tags.get(block.points.CMD) : undefined;
    const reset = block.points.RESET ? this.tags.get(block.points.RESET) : undefined;
    if (!who.session.user || (!command?.writable && !reset?.writable)) return nothing;
    const button = (tag: Tag, text: string, value: boolean) => {
      const why = live.link !== "live" ? "No live data" : who.refusal(tag);
      return html`<button ?disabled=${why !== ""} title=${why || `${text}: ${tag.path}`} @click=${() => openWrite(tag, value)}>${text}</button>`;
    };
    const [on, off] = block.type === "motor" ? ["Start", "Stop"] : ["Open", "Close"];
    return html`<div class="modes" role="group" aria-label="Commands of ${block.path}">
      ${command?.writable ? html`${button(command, on as string, true)}${button(command, off as string, false)}` : nothing}
      ${reset?.writable ? button(reset, "Reset", true) : nothing}
    </div>`;
  }

  private modes(tag: Tag, block: Block) {
    const cascade = block.links.setpoint_tag !== undefined;
    const now = live.samples.get(tag.path)?.value;
    const why = live.link !== "live" ? "No live data" : who.session.user ? who.refusal(tag) : "";
    return html`<div class="modes" role="group" aria-label="Mode of ${tag.path}">
      ${Object.entries(tag.states).filter(([number]) => Number(number) < (cascade ? 4 : 3) || now === Number(number)).map(([number, text]) => html`<button aria-pressed=${now === Number(number)} ?disabled=${why !== "" || !tag.writable} title=${why}
        @click=${() => now !== Number(number) && openWrite(tag, Number(number))}>${text}</button>`)}
    </div>`;
  }

  /** Value against its set point and limits, and the output: how it stands, at one glance. */
  private bars(block: Block) {
    const { pv, out } = block.links;
    const bar = (text: string, path: string | undefined, pointer?: string) => {
      const tag = path ? this.tags.get(path) : undefined;
      const sample = path ? live.samples.get(path) : undefined;
      const value = sample?.value;
      if (!tag || !sample || typeof value !== "number") return nothing;
      const [low, high] = tag.range ?? [0, 100];
      const x = (v: number) => 200 * Math.min(1, Math.max(0, (v - low) / (high - low)));
      const aim = pointer ? live.samples.get(pointer)?.value : undefined;
      const limits = this.detail && this.detail.path === path ? this.detail.limit_alarms : [];
      return html`<div class="bar" data-quality=${quality(sample.status)}><span>${text}</span>
        <svg viewBox="-8 0 216 22" role="img" aria-label="${text} ${valueText(tag, value)} of ${low} to ${high}">${svg`
          <rect class="glass" x="0" y="2" width="200" height="12" /><rect class="fill" x="0" y="2" width=${x(value)} height="12" />
          ${limits.map((limit) => svg`<path class="limit" d="M${x(limit.limit)} 0V16" />`)}
          ${typeof aim === "number" ? svg`<path class="aim" d="M${x(aim)} 13l5 9h-10z" />` : nothing}`}</svg>
        <span class="n">${valueText(tag, value)}</span></div>`;
    };
    return html`<div class="bars">${bar("Value", pv, block.points.SP ?? block.links.setpoint_tag)}${bar("Output", out)}</div>`;
  }

  private async load(): Promise<void> {
    const path = this.path;
    if (!path) return;
    this.unwatch?.();
    this.unwatch = null;
    try {
      const detail = await api.tag(path);
      if (path !== this.path || !this.isConnected) return;
      const fresh = this.detail?.path !== detail.path;
      this.detail = detail;
      this.problem = "";
      this.tags = new Map([detail, ...detail.related].map((tag) => [tag.path, tag]));
      const loop = detail.blocks.find((block) => block.type === "pid");
      const wanted = loop ? [path, loop.links.pv, loop.points.SP ?? loop.links.setpoint_tag, loop.links.out] : [path];
      this.trended = [...new Set(wanted)].map((p) => (p ? this.tags.get(p) : undefined)).filter((tag) => tag !== undefined).slice(0, 4);
      this.unwatch = live.watch([...this.tags.keys(), ...[detail.remote, detail.mode].filter((p) => p !== null)], () => this.requestUpdate());
      live.watchAges([path]);
      this.requestUpdate();
      if (fresh) void this.updateComplete.then(() => this.querySelector("h2")?.focus({ preventScroll: false }));
    } catch (error) {
      this.detail = null;
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.requestUpdate();
  }

  private written(event: RequestEvent): void {
    const index = event.items.findIndex(([path]) => path === this.detail?.path);
    if (index < 0 || !this.detail || event.request !== "write" || !FINAL.includes(event.status)) return;
    const { user, source, status, reason, t_ms } = event;
    this.detail = { ...this.detail, last_write: { user, source, status, reason, utc_ms: t_ms, value: event.items[index]?.[1] ?? null } };
    this.requestUpdate();
  }
}
customElements.define("scada-tag", TagPanel);
