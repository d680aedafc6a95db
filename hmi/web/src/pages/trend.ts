// Up to four tags over any time: the trend over the whole width, and what each came to in the time shown.
import { html, nothing, type PropertyValues } from "lit";
import * as api from "../api";
import { Panel } from "../element";
import { dateTimeText, numberText, unitText } from "../format";
import type { Intervals, Tag, TagWithReading } from "../model";
import { tagLink } from "../parts/marks";
import { open } from "../route";
import "../parts/trend";

const MOST = 4;
const NONE: never[] = [];
const COLUMNS: [string, string][] = [["min", "Lowest"], ["time-average", "Average"], ["max", "Highest"]];

export class TrendPage extends Panel {
  static override properties = { name: {} };
  declare name: string;
  private tags: Tag[] = [];
  private hints: TagWithReading[] = [];
  private range: [number, number] | null = null;
  private figures = new Map<string, Intervals[]>();
  private problem = "";
  private turn = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = "Trend – Closedloop";
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("name")) void this.load();
  }

  override render() {
    return html`<section class="page trend-page" aria-labelledby="trend-title">
      <header><h2 id="trend-title">Trend</h2>
        ${this.tags.length < MOST ? html`<form class="search" @submit=${this.add}>
          <label><span class="hidden">Add a tag</span><input name="tag" list="trend-tags" placeholder=${this.tags.length ? "Add a tag" : "Choose a tag"} autocomplete="off" spellcheck="false" @input=${this.hint} /></label>
          <datalist id="trend-tags">${this.hints.map((tag) => html`<option value=${tag.path}>${tag.description}</option>`)}</datalist>
          <button>Add</button></form>` : nothing}
        <span class="problem" role="status">${this.problem || nothing}</span>
      </header>
      ${this.tags.length ? html`
        <scada-trend .tags=${this.tags} .limits=${NONE} .spanS=${3600} @range=${(event: CustomEvent<[number, number]>) => void this.count(event.detail)}></scada-trend>
        <table class="list"><caption>${this.range ? `${dateTimeText(this.range[0])} to ${dateTimeText(this.range[1])}` : ""}</caption>
          <thead><tr><th scope="col">Tag</th>${COLUMNS.map(([, text]) => html`<th scope="col" class="n">${text}</th>`)}<th scope="col" class="n" title="Share of the time with a good value">Good</th><th scope="col"><span class="hidden">Remove</span></th></tr></thead>
          <tbody>${this.tags.map((tag) => this.row(tag))}</tbody></table>` : html`<p class="empty">Choose up to ${MOST} tags.</p>`}
    </section>`;
  }

  private row(tag: Tag) {
    const found = this.figures.get(tag.path);
    const text = (value: number | null | undefined) =>
      value === null || value === undefined ? "–" : `${numberText(value, tag.decimals)}${tag.unit ? ` ${unitText(tag.unit)}` : ""}`;
    return html`<tr>
      <th scope="row">${tagLink(tag.path)}</th>
      ${COLUMNS.map((_, index) => html`<td class="n">${text(found?.[index]?.v[0])}</td>`)}
      <td class="n">${found?.[0] ? `${numberText(found[0].percent_good[0] ?? 0, 1)} %` : "–"}</td>
      <td><button @click=${() => this.choose(this.tags.filter((other) => other !== tag))} aria-label="Remove ${tag.path}">✕</button></td>
    </tr>`;
  }

  private choose(tags: { path: string }[]): void {
    open({ page: "trend", name: tags.map((tag) => tag.path).join(",") });
  }

  private add(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const path = String(new FormData(form).get("tag") ?? "").trim();
    if (!path || this.tags.some((tag) => tag.path === path)) return;
    form.reset();
    this.choose([...this.tags, { path }]);
  }

  private async hint(event: Event): Promise<void> {
    const typed = (event.target as HTMLInputElement).value;
    const found = await api.tags(typed, "", 20).catch(() => null);
    this.hints = found?.tags.filter((tag) => tag.history && tag.type !== "string") ?? [];
    this.requestUpdate();
  }

  private async load(): Promise<void> {
    const wanted = [...new Set(this.name.split(",").filter(Boolean))].slice(0, MOST);
    const found = await Promise.allSettled(wanted.map((path) => api.tag(path)));
    const bad = found.find((one) => one.status === "rejected");
    this.problem = bad ? String((bad.reason as Error).message) : "";
    const tags = found.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const text = tags.find((tag) => tag.type === "string" || !tag.history);
    if (text) this.problem = `${text.path} has no numbers in history.`;
    this.tags = tags.filter((tag) => tag.type !== "string" && tag.history);
    this.requestUpdate();
  }

  /** What each tag came to in the time shown. */
  private async count([start, end]: [number, number]): Promise<void> {
    const turn = ++this.turn;
    this.range = [start, end];
    const figures = new Map<string, Intervals[]>();
    for (const tag of this.tags) {
      const found = await Promise.all(COLUMNS.map(([aggregate]) => api.intervals(tag.path, aggregate, start, end))).catch(() => null);
      if (turn !== this.turn || !this.isConnected) return;
      if (found) figures.set(tag.path, found);
    }
    this.figures = figures;
    this.requestUpdate();
  }
}
customElements.define("scada-trend-page", TrendPage);
