// All tags, with search by path and description; values live.
import { html, nothing } from "lit";
import * as api from "../api";
import { Panel } from "../element";
import { live } from "../live";
import type { TagWithReading } from "../model";
import { reading, stateMarks, tagLink } from "../parts/marks";

const KINDS = [["", "All"], ["device", "Devices"], ["command", "Commands"], ["block", "Blocks"], ["memory", "Own"], ["alarm", "Alarms"], ["system", "System"]] as const;
const STEP = 100;

export class TagsPage extends Panel {
  private search = "";
  private kind = "";
  private limit = STEP;
  private found: TagWithReading[] = [];
  private total = 0;
  private problem = "";
  private turn = 0;
  private wait: ReturnType<typeof setTimeout> | undefined;
  private unwatch: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = "Tags – Closedloop";
    void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.wait);
    this.unwatch?.();
  }

  override render() {
    return html`<section class="page tags" aria-labelledby="tags-title">
      <header><h2 id="tags-title">Tags</h2>
        <label class="search"><span class="hidden">Search in paths and descriptions</span>
          <input type="search" placeholder="Search path or description" .value=${this.search} @input=${this.typed} autocomplete="off" spellcheck="false" /></label>
        <div class="filters" role="group" aria-label="Kind of tag">
          ${KINDS.map(([kind, text]) => html`<button aria-pressed=${this.kind === kind} @click=${() => { this.kind = kind; this.limit = STEP; void this.load(); }}>${text}</button>`)}
        </div>
        <span class="total" role="status">${this.total} ${this.total === 1 ? "tag" : "tags"}</span>
      </header>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      <table class="list">
        <thead><tr><th scope="col">Tag</th><th scope="col" class="n">Value</th><th scope="col">Description</th><th scope="col">Kind</th></tr></thead>
        <tbody>${this.found.map((tag) => this.row(tag))}</tbody>
      </table>
      ${this.found.length < this.total ? html`<button class="more" @click=${() => { this.limit += STEP; void this.load(); }}>Show ${Math.min(STEP, this.total - this.found.length)} more</button>` : nothing}
    </section>`;
  }

  private row(tag: TagWithReading) {
    const mode = tag.mode ? live.samples.get(tag.mode)?.value : undefined;
    return html`<tr>
      <th scope="row">${tagLink(tag.path)} ${stateMarks({ local: tag.remote ? live.samples.get(tag.remote)?.value === false : false, manual: mode === 1, off: mode === 0 })}<span class="sub">${tag.description}</span></th>
      <td class="n">${reading(tag, live.samples.get(tag.path))}</td>
      <td class="description">${tag.description}</td>
      <td class="kind">${tag.device ?? tag.kind}${tag.writable ? html` <span class="writable" title="May be written">✎</span>` : nothing}</td>
    </tr>`;
  }

  private typed(event: Event): void {
    this.search = (event.target as HTMLInputElement).value;
    this.limit = STEP;
    clearTimeout(this.wait);
    this.wait = setTimeout(() => void this.load(), 150);
  }

  private async load(): Promise<void> {
    const turn = ++this.turn;
    try {
      const { tags, total } = await api.tags(this.search, this.kind, this.limit);
      if (turn !== this.turn || !this.isConnected) return;
      this.found = tags;
      this.total = total;
      this.problem = "";
      this.unwatch?.();
      const extra = tags.flatMap((tag) => [tag.remote, tag.mode]).filter((path) => path !== null);
      this.unwatch = live.watch([...tags.map((tag) => tag.path), ...extra], () => this.requestUpdate());
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.requestUpdate();
  }
}
customElements.define("scada-tags", TagsPage);
