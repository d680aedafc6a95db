// Loops, drives and valves of a display as tables: every number that the picture stands for, one line each.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { Panel } from "../element";
import { quality, shortPath } from "../format";
import { live } from "../live";
import type { Block, Tag } from "../model";
import { reading, stateMarks, tagLink } from "./marks";

const NUMBERS = new Set(["Value", "Set point", "Output", "Hours"]);
/** Types of blocks that have a table of their own; all others are logic. */
const MOTORS = ["motor", "drive"];
const VALVES = ["valve", "on_off_valve", "damper"];
const PROTECTIONS = ["interlock", "cause_effect"];
const OWN_TABLE = new Set(["pid", ...MOTORS, ...VALVES, ...PROTECTIONS]);

export class Units extends Panel {
  static override properties = { blocks: { attribute: false }, tags: { attribute: false } };
  declare blocks: Block[];
  declare tags: Tag[];
  private byPath = new Map<string, Tag>();
  private unwatch: (() => void) | null = null;

  constructor() {
    super();
    this.blocks = [];
    this.tags = [];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.unwatch?.();
    this.unwatch = null;
  }

  override willUpdate(changed: PropertyValues): void {
    if (!changed.has("blocks") && !changed.has("tags")) return;
    this.byPath = new Map(this.tags.map((tag) => [tag.path, tag]));
    this.unwatch?.();
    const paths = this.blocks.flatMap((block) => [...Object.values(block.points), ...Object.values(block.links)]);
    this.unwatch = live.watch(paths.filter((path) => this.byPath.has(path)), () => this.requestUpdate());
  }

  override render() {
    const of = (...types: string[]) => this.blocks.filter((block) => types.includes(block.type));
    return html`<section class="units" aria-label="Loops and drives">
      ${this.table("Control loops", ["Loop", "Value", "Set point", "Output", "Mode"], of("pid").map((block) => this.loop(block)))}
      ${this.table("Motors", ["Motor", "State", "Mode", "Hours"], of(...MOTORS).map((block) => this.motor(block)))}
      ${this.table("Valves and dampers", ["Valve", "State", "Asked", ""], of(...VALVES).map((block) => this.valve(block)))}
      ${this.table("Interlocks", ["Interlock", "State", "Holds"], of(...PROTECTIONS).map((block) => this.interlock(block)))}
      ${this.table("Logic", ["Block", "Now", ""], this.blocks.filter((block) => !OWN_TABLE.has(block.type)).map((block) => this.logic(block)))}
    </section>`;
  }

  private table(title: string, heads: string[], rows: TemplateResult[]) {
    if (!rows.length) return nothing;
    return html`<table><caption>${title}</caption>
      <thead><tr>${heads.map((head) => html`<th scope="col" class=${NUMBERS.has(head) ? "n" : ""}>${head}</th>`)}</tr></thead>
      <tbody>${rows}</tbody></table>`;
  }

  private show(path: string | undefined, unit = true) {
    return path ? reading(this.byPath.get(path), live.samples.get(path), unit) : "–";
  }

  private marks(block: Block) {
    const at = (path: string | undefined) => (path ? live.samples.get(path) : undefined);
    const mode = at(block.points.MODE)?.value;
    const all = [...Object.values(block.points), ...Object.values(block.links)];
    return stateMarks({
      local: at(block.links.remote)?.value === false,
      manual: mode === 1,
      off: mode === 0,
      forced: all.some((path) => quality(at(path)?.status ?? 0) === "forced"),
    });
  }

  private head(block: Block, path: string | undefined) {
    return html`<th scope="row">${tagLink(path ?? block.path, shortPath(block.path))} ${this.marks(block)}</th>`;
  }

  private loop(block: Block) {
    const { points, links } = block;
    return html`<tr>${this.head(block, links.pv)}<td class="n">${this.show(links.pv)}</td><td class="n">${this.show(points.SP ?? links.setpoint_tag)}</td>
      <td class="n">${this.show(links.out)}</td><td>${this.show(points.MODE)}</td></tr>`;
  }

  private motor(block: Block) {
    const { points } = block;
    return html`<tr>${this.head(block, points.STATE)}<td>${this.show(points.STATE)}</td><td>${this.show(points.MODE)}</td><td class="n">${this.show(points.HOURS)}</td></tr>`;
  }

  private valve(block: Block) {
    const { points, links } = block;
    const wrong = points.DISCREPANCY && live.samples.get(points.DISCREPANCY)?.value === true;
    return html`<tr>${this.head(block, points.STATE ?? links.pos)}<td>${this.show(points.STATE ?? links.pos)}</td><td>${this.show(links.out)}</td>
      <td>${wrong ? html`<b class="abnormal">Discrepancy</b>` : nothing}</td></tr>`;
  }

  private interlock(block: Block) {
    const at = (path: string | undefined) => (path ? live.samples.get(path)?.value : undefined);
    const off = Object.entries(block.points).filter(([name, path]) => name.endsWith("BYPASSED") && at(path) === true).length;
    const first = this.byPath.get(block.points.FIRST_OUT ?? "");
    const cause = first && at(first.path) ? `: ${first.states[String(at(first.path))] ?? ""}` : "";
    const active = at(block.points.ACTIVE ?? block.points.TRIPPED) === true;
    const held = Object.entries(block.links).filter(([role]) => role.startsWith("target")).map(([, path]) => shortPath(path));
    return html`<tr>${this.head(block, block.points.ACTIVE ?? block.points.FIRST_OUT)}
      <td>${active || cause ? html`<b class="abnormal">${active ? "Active" : "Cause"}${cause}</b>` : "Clear"}${off ? html` <b class="abnormal">${block.points.ACTIVE ? "Bypassed" : `${off} bypassed`}</b>` : nothing}</td>
      <td>${held.join(", ")}</td></tr>`;
  }

  private logic(block: Block) {
    const entries = Object.entries(block.points);
    const main = block.points.OUT ?? block.points.Q ?? block.points.STATE ?? block.points.SP ?? block.points.DUTY ?? entries[0]?.[1];
    return html`<tr>${this.head(block, main)}<td>${this.show(main)}</td><td>${block.type.replaceAll("_", "/")}</td></tr>`;
  }
}
customElements.define("scada-units", Units);
