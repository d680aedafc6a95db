// Binds a drawing to live tags. Writes state attributes and texts only; all looks are CSS (css/display.css).
import { RANK, quality, valueText } from "./format";
import type { Alarm, Priority, Tag, Value } from "./model";
import { ACTIVE, HIDDEN, UNACKNOWLEDGED } from "./model";
import type { Sample } from "./live";

const SVG = "http://www.w3.org/2000/svg";
const LETTERS: Record<string, string> = { forced: "F", uncertain: "?", bad: "✕", stale: "✕" };
const MODES = ["off", "manual", "auto", "cascade", "remote"];

/** Parses a drawing and takes out everything that could act: scripts, handlers, foreign content, outer links. */
export function parseDrawing(text: string): SVGSVGElement {
  // The page's security policy lets no style attribute in; the one that drawings use becomes data.
  const plain = text.replace(/\sstyle="--travel:\s*([\d.]+);?\s*"/g, ' data-travel="$1"');
  const root = new DOMParser().parseFromString(plain, "image/svg+xml").documentElement;
  if (root.tagName !== "svg") throw new Error("the drawing is not SVG");
  for (const element of [root, ...root.querySelectorAll("*")]) {
    if (/^(script|foreignObject|style|iframe|animate.*|set)$/i.test(element.localName)) {
      element.remove();
      continue;
    }
    for (const { name, value } of [...element.attributes]) {
      const link = /(^|:)href$/i.test(name) && !value.startsWith("#");
      if (/^on/i.test(name) || name === "style" || link) element.removeAttribute(name);
    }
  }
  return document.importNode(root, true) as unknown as SVGSVGElement;
}

type Styled = SVGElement & { style: CSSStyleDeclaration };
interface Bound {
  element: Styled;
  tag: string;
  show: string;
  low: number;
  high: number;
  decimals: number | undefined;
  unit: boolean;
  marks: SVGGElement | null;
  behind: SVGGElement | null;
}

/** Keeps one drawing up to date. */
export class Binder {
  readonly paths = new Set<string>();
  private readonly bound = new Map<string, Bound[]>();
  private readonly flags = new Map<string, ((value: Value, known: boolean) => void)[]>();
  private readonly all: Bound[] = [];
  private placed = false;

  constructor(
    readonly root: SVGSVGElement,
    private readonly tags: ReadonlyMap<string, Tag>,
    private readonly samples: ReadonlyMap<string, Sample>,
  ) {
    this.addHatch();
    for (const element of root.querySelectorAll<Styled>("[data-tag]")) this.bind(element);
    for (const element of root.querySelectorAll<Styled>("[data-mode]")) {
      this.flag(element.dataset.mode, (value, known) => {
        this.put(element, "modeState", known ? MODES[Number(value)] : undefined);
      });
    }
    for (const element of root.querySelectorAll<Styled>("[data-remote]")) {
      this.flag(element.dataset.remote, (value, known) => this.put(element, "local", known && value === false ? "true" : "false"));
    }
    for (const element of root.querySelectorAll<Styled>("[data-trip]")) {
      this.flag(element.dataset.trip, (value, known) => this.put(element, "tripped", known && value === true ? "true" : "false"));
    }
    for (const element of root.querySelectorAll<Styled>("[data-travel]")) {
      element.style.setProperty("--travel", element.dataset.travel ?? "0");
    }
  }

  /** Draws marks for alarms and quality; needs the drawing in the page, for its boxes. */
  placeMarks(): void {
    this.placed = true;
    const read = new Set<string>();
    for (const bound of this.all) if (bound.element.closest(".reading")) read.add(bound.tag);
    for (const bound of this.all) {
      const host = bound.element.closest<SVGGraphicsElement>(".reading") ?? (bound.element as unknown as SVGGraphicsElement);
      if (!host.matches(".reading, [data-symbol]") || bound.element.closest(".badge") || host.querySelector(":scope > .marks")) continue;
      // What a number beside it says already is not said twice.
      if (!host.matches(".reading") && read.has(bound.tag)) continue;
      const box = host.getBBox();
      const marks = document.createElementNS(SVG, "g");
      marks.setAttribute("class", "marks");
      marks.setAttribute("transform", `translate(${box.x} ${box.y})`);
      marks.setAttribute("aria-hidden", "true");
      host.append(marks);
      bound.marks = marks;
      this.mark(bound);
    }
    for (const bound of this.all) this.hatch(bound);
  }

  update(paths: Iterable<string>): void {
    for (const path of paths) {
      const sample = this.samples.get(path);
      for (const bound of this.bound.get(path) ?? []) this.show(bound, sample);
      for (const act of this.flags.get(path) ?? []) {
        act(sample?.value ?? null, sample !== undefined && sample.status >>> 30 < 2);
      }
    }
  }

  updateAlarms(alarms: readonly Alarm[]): void {
    for (const bound of this.all) {
      const unit = bound.element.dataset.symbol && bound.tag.split("/").length > 2 ? bound.tag.replace(/[^/]*$/, "") : null;
      let worst: Alarm | null = null;
      for (const alarm of alarms) {
        if (alarm.tag !== bound.tag && !(unit && alarm.tag.startsWith(unit))) continue;
        if (alarm.bits & HIDDEN || !(alarm.bits & (ACTIVE | UNACKNOWLEDGED))) continue;
        if (!worst || RANK[alarm.priority] < RANK[worst.priority]) worst = alarm;
      }
      this.put(bound.element, "alarm", worst?.priority ?? "");
      this.put(bound.element, "ack", worst && worst.bits & UNACKNOWLEDGED ? "no" : "yes");
      this.mark(bound, worst?.priority ?? null);
    }
  }

  private bind(element: Styled): void {
    const data = element.dataset;
    const tag = data.tag as string;
    const range = this.tags.get(tag)?.range ?? [0, 100];
    const bound: Bound = {
      element,
      tag,
      show: data.show ?? (element.localName === "text" || element.localName === "tspan" ? "value" : "state"),
      low: Number(data.low ?? range[0]),
      high: Number(data.high ?? range[1]),
      decimals: data.decimals === undefined ? undefined : Number(data.decimals),
      unit: data.unit !== "no",
      marks: null,
      behind: null,
    };
    this.paths.add(tag);
    this.all.push(bound);
    this.bound.set(tag, [...(this.bound.get(tag) ?? []), bound]);
    this.show(bound, undefined);
  }

  private flag(tag: string | undefined, act: (value: Value, known: boolean) => void): void {
    if (!tag) return;
    this.paths.add(tag);
    this.flags.set(tag, [...(this.flags.get(tag) ?? []), act]);
  }

  private show(bound: Bound, sample: Sample | undefined): void {
    const { element, show } = bound;
    const value = sample?.value ?? null;
    const tag = this.tags.get(bound.tag);
    this.put(element, "quality", sample ? quality(sample.status) : "stale");
    this.mark(bound);
    if (show === "value" || show === "number" || show === "text") {
      const text = valueText(tag, value, { unit: bound.unit && show === "value", decimals: bound.decimals });
      if (element.textContent !== text) element.textContent = text;
      this.hatch(bound);
    }
    if (show === "state" || show === "visible" || show === "text") this.put(element, "state", stateName(tag, value));
    if (show === "bar" || show === "marker" || show === "position" || show === "rotate") {
      const number = value === null || typeof value === "string" ? NaN : Number(value);
      const fraction = Math.min(1, Math.max(0, (number - bound.low) / (bound.high - bound.low)));
      element.style.setProperty("--fraction", Number.isFinite(fraction) ? fraction.toFixed(4) : "0");
      if (show === "position") {
        this.put(element, "state", Number.isNaN(fraction) ? "" : fraction <= 0.02 ? "closed" : fraction >= 0.98 ? "open" : "between");
      }
    }
  }

  private put(element: Styled, key: string, value: string | undefined): void {
    if (element.dataset[key] === value) return;
    if (value === undefined) delete element.dataset[key];
    else element.dataset[key] = value;
  }

  /** A shape with a number for an alarm, a letter for a quality that is not good. */
  private mark(bound: Bound, alarm: Priority | null = (bound.element.dataset.alarm as Priority) || null): void {
    if (!bound.marks) return;
    const quality = bound.element.dataset.quality ?? "";
    bound.marks.dataset.ack = bound.element.dataset.ack ?? "yes";
    const key = `${alarm ?? ""} ${quality}`;
    if (bound.marks.dataset.key === key) return;
    bound.marks.dataset.key = key;
    bound.marks.replaceChildren();
    const letter = LETTERS[quality];
    if (alarm) bound.marks.append(alarmShape(alarm, -17, -20));
    if (letter) {
      const mark = document.createElementNS(SVG, "g");
      mark.setAttribute("class", "quality-mark");
      mark.dataset.kind = quality;
      mark.setAttribute("transform", `translate(${alarm ? 13 : -13} -18)`);
      mark.innerHTML = `<rect width="22" height="22" rx="3"/><text x="11" y="17" text-anchor="middle">${letter}</text>`;
      bound.marks.append(mark);
    }
  }

  /** A text that stands alone (not on the plate of a reading) gets a hatched ground and a letter while it is not good. */
  private hatch(bound: Bound): void {
    const { element } = bound;
    const kind = element.dataset.quality ?? "good";
    if (!this.placed || element.localName !== "text" || element.closest(".reading, .badge")) return;
    bound.behind?.remove();
    bound.behind = null;
    if (kind === "good") return;
    const box = (element as unknown as SVGGraphicsElement).getBBox();
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("class", "behind");
    group.setAttribute("aria-hidden", "true");
    const letter = LETTERS[kind];
    const ground = kind === "stale" || kind === "bad" ? `<rect x="${box.x - 4}" y="${box.y}" width="${box.width + 8}" height="${box.height}" rx="2"/>` : "";
    group.innerHTML = `${ground}<g class="quality-mark" data-kind="${kind}" transform="translate(${box.x - 28} ${box.y + box.height / 2 - 11})"><rect width="22" height="22" rx="3"/><text x="11" y="17" text-anchor="middle">${letter}</text></g>`;
    element.before(group);
    bound.behind = group;
  }

  private addHatch(): void {
    const defs = document.createElementNS(SVG, "defs");
    defs.innerHTML =
      '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
      '<rect class="hatch-ground" width="7" height="7"/><rect class="hatch-line" width="2.5" height="7"/></pattern>';
    this.root.prepend(defs);
  }
}

export function stateName(tag: Tag | undefined, value: Value): string | undefined {
  if (value === null) return undefined;
  const text = tag?.states[String(Number(value))];
  if (typeof value === "boolean") return value ? "on" : "off";
  return (text ?? String(value)).toLowerCase().replaceAll(" ", "-");
}

const SHAPES: Record<Priority, string> = {
  critical: "M1 1h24v24h-24z",
  high: "M13 0 26 25H0z",
  medium: "M0 1H26L13 26z",
  low: "M13 0 26 13 13 26 0 13z",
};
const NUMBER_Y: Record<Priority, number> = { critical: 19, high: 22, medium: 16, low: 19 };

/** The mark of an alarm priority: its own shape and its number. */
export function alarmShape(priority: Priority, x = 0, y = 0): SVGGElement {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", `alarm-shape ${priority}`);
  group.setAttribute("transform", `translate(${x} ${y})`);
  group.innerHTML = `<path d="${SHAPES[priority]}"/><text x="13" y="${NUMBER_Y[priority]}" text-anchor="middle">${RANK[priority]}</text>`;
  return group;
}
export { SHAPES, NUMBER_Y };
