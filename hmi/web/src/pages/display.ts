// One picture of the plant, with the loops and motors that it shows in a table beside it.
import { html, nothing, type PropertyValues } from "lit";
import * as api from "../api";
import { Binder, parseDrawing } from "../binder";
import { Panel } from "../element";
import { live } from "../live";
import type { Display, Tag } from "../model";
import { open } from "../route";
import "../parts/units";

export class DisplayPage extends Panel {
  static override properties = { name: {} };
  declare name: string;
  private display: Display | null = null;
  private binder: Binder | null = null;
  private problem = "";
  private unwatch: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    const alarms = () => this.binder?.updateAlarms(live.alarms);
    live.addEventListener("alarms", alarms);
    this.later(() => live.removeEventListener("alarms", alarms));
    if (this.hasUpdated) void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.unwatch?.();
    this.unwatch = null;
  }

  override updated(changed: PropertyValues): void {
    if (changed.has("name")) void this.load();
  }

  override render() {
    return html`<div class="display-page">
      <section class="picture" aria-label=${this.display?.title ?? "Display"}>
        <h2 class="hidden">${this.display?.title ?? "Display"}</h2>
        ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
        <div class="drawing" @click=${this.clicked} @keydown=${this.keyed}></div>
      </section>
      ${this.display ? html`<scada-units .blocks=${this.display.blocks} .tags=${this.display.tags}></scada-units>` : nothing}
    </div>`;
  }

  private async load(): Promise<void> {
    const name = this.name;
    if (!name) return;
    this.unwatch?.();
    this.unwatch = null;
    try {
      const display = await api.display(name);
      if (name !== this.name || !this.isConnected) return;
      this.display = display;
      this.problem = "";
      document.title = `${display.title} – Closedloop`;
      this.draw(display);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.requestUpdate();
  }

  private draw(display: Display): void {
    const host = this.querySelector(".drawing");
    if (!host) return;
    const root = parseDrawing(display.svg);
    const tags = new Map<string, Tag>(display.tags.map((tag) => [tag.path, tag]));
    const binder = new Binder(root, tags, live.samples);
    root.classList.add("plant");
    for (const group of root.querySelectorAll<SVGElement>(".reading:not([data-tag])")) {
      const inner = group.querySelector<SVGElement>("[data-tag]");
      if (inner) group.dataset.open = inner.dataset.tag;
    }
    for (const element of root.querySelectorAll<SVGElement>("[data-display], [data-open], [data-symbol][data-tag]")) {
      element.setAttribute("tabindex", "0");
      element.setAttribute("role", element.dataset.display ? "link" : "button");
      // A reading is called by what stands in it: its label and its value.
      const symbol = element.dataset.symbol ? `${element.dataset.symbol} ${element.querySelector(".t-label")?.textContent ?? ""} ${element.dataset.tag}` : null;
      if (symbol && !element.dataset.open) element.setAttribute("aria-label", symbol.replace(/\s+/g, " "));
    }
    root.setAttribute("role", "group");
    root.removeAttribute("aria-labelledby");
    root.setAttribute("aria-label", display.title);
    host.replaceChildren(root);
    binder.placeMarks();
    binder.updateAlarms(live.alarms);
    this.binder = binder;
    this.unwatch = live.watch(binder.paths, (paths) => binder.update(paths));
  }

  private target(event: Event): boolean {
    const element = (event.target as Element).closest<SVGElement>("[data-display], [data-open], [data-tag]");
    if (!element) return false;
    if (element.dataset.display) open({ page: "display", name: element.dataset.display, tag: "" });
    else open({ tag: element.dataset.open ?? element.dataset.tag ?? "" });
    return true;
  }

  private clicked(event: Event): void {
    this.target(event);
  }

  private keyed(event: KeyboardEvent): void {
    if ((event.key === "Enter" || event.key === " ") && this.target(event)) event.preventDefault();
  }
}
customElements.define("scada-display", DisplayPage);
