// Small pieces of markup that several pages share: alarm marks, readings, links to tags.
import { html, nothing, svg, type TemplateResult } from "lit";
import { NUMBER_Y, SHAPES } from "../binder";
import { ageText, QUALITY_MARK, quality, qualityText, RANK, valueText } from "../format";
import type { Sample } from "../live";
import type { Priority, Tag } from "../model";
import { link } from "../route";

/** An alarm priority: shape, number and colour; its name for screen readers. */
export function priorityMark(priority: Priority): TemplateResult {
  return html`<svg class="alarm-shape ${priority}" viewBox="-2 -2 30 30" width="22" height="22" role="img" aria-label="Priority ${RANK[priority]}, ${priority}">
    ${svg`<path d=${SHAPES[priority]} /><text x="13" y=${NUMBER_Y[priority]} text-anchor="middle">${RANK[priority]}</text>`}
  </svg>`;
}

/** A live value with unit; hatched and marked by a letter when it is not good. */
export function reading(tag: Tag | undefined, sample: Sample | undefined, unit = true): TemplateResult {
  const kind = sample ? quality(sample.status) : "stale";
  const why = sample ? qualityText(sample.status) : "No value yet";
  return html`<span class="reading-text" data-quality=${kind} title=${why}
    >${kind === "good" ? nothing : html`<span class="letter" aria-hidden="true">${QUALITY_MARK[kind]}</span><span class="hidden">${why}: </span>`}<span
      class="number">${valueText(tag, sample?.value ?? null, { unit })}</span></span>`;
}

export function tagLink(path: string, text = path): TemplateResult {
  return html`<a class="tag" href=${link({ tag: path })}>${text}</a>`;
}

/** Marks beside a name: Local, Manual, forced. */
export function stateMarks(marks: { local?: boolean; manual?: boolean; off?: boolean; forced?: boolean }): TemplateResult {
  return html`${marks.local ? html`<abbr class="mark-box" title="In Local: the field has it">L</abbr>` : nothing}${
    marks.manual ? html`<abbr class="mark-box" title="In Manual">M</abbr>` : nothing}${
    marks.off ? html`<abbr class="mark-box" title="Out of service">O</abbr>` : nothing}${
    marks.forced ? html`<abbr class="mark-box forced" title="Forced by hand">F</abbr>` : nothing}`;
}

export function age(seconds: number): string {
  return ageText(seconds);
}
