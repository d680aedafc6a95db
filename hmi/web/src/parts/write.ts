// Writing a tag: choose a value, confirm it, watch its outcome. Nothing is sent before the second step.
import { html, nothing, type TemplateResult } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import { ApiError, newId, request } from "../api";
import { Panel } from "../element";
import { timeText, unitText, valueText } from "../format";
import { live } from "../live";
import type { RequestEvent, Tag, Value } from "../model";
import { who } from "../session";
import { reading } from "./marks";

type Step = "choose" | "confirm" | "outcome";
const FINAL = ["confirmed", "rejected", "timed out", "mismatched", "superseded"];
const MEANING: Record<string, string> = {
  accepted: "Accepted by control",
  sent: "Sent to the device",
  confirmed: "Confirmed: read back as asked",
  rejected: "Rejected: nothing was changed",
  "timed out": "Timed out: it is unknown whether it was done. Look at the value.",
  mismatched: "Mismatched: the device reads back another value",
  superseded: "Superseded: somebody wrote again before this was done",
};

export class Write extends Panel {
  private dialog = createRef<HTMLDialogElement>();
  private step: Step = "choose";
  private tag: Tag | null = null;
  private value: Value = null;
  private old: Value = null;
  private reason = "";
  private problem = "";
  private asked = "";
  private log: { status: string; reasons: string[]; ms: number }[] = [];
  private unwatch: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    const take = (event: Event) => {
      const news = (event as CustomEvent<RequestEvent>).detail;
      if (news.id === this.asked) this.add(news.status, news.reasons, news.t_ms);
    };
    live.addEventListener("request", take);
    this.later(() => live.removeEventListener("request", take));
    this.follow(live, "link");
  }

  /** Opens the dialog for a tag; with a value given it starts at the confirmation. */
  open(tag: Tag, value?: Value): void {
    this.tag = tag;
    this.unwatch?.();
    this.unwatch = live.watch([tag.path], () => this.requestUpdate());
    this.value = value ?? null;
    this.reason = this.problem = this.asked = "";
    this.log = [];
    this.step = "choose";
    if (value !== undefined) this.confirm();
    this.requestUpdate();
    void this.updateComplete.then(() => {
      this.dialog.value?.showModal();
      this.dialog.value?.querySelector<HTMLElement>("[data-focus]")?.focus();
    });
  }

  override render() {
    return html`<dialog ${ref(this.dialog)} class="write" aria-labelledby="write-title" @close=${this.closed}>
      ${this.tag ? this.content(this.tag) : nothing}
    </dialog>`;
  }

  private content(tag: Tag): TemplateResult {
    const step = { choose: () => this.choose(tag), confirm: () => this.ask(tag), outcome: () => this.outcome(tag) }[this.step];
    return html`<h2 id="write-title">${tag.path}</h2>
      <p class="description">${tag.description}</p>
      <p class="now">Now ${reading(tag, live.samples.get(tag.path))}</p>
      ${step()}`;
  }

  private choose(tag: Tag) {
    return html`<form @submit=${(event: SubmitEvent) => this.chosen(event, tag)} novalidate>
      ${this.field(tag)}
      <label>Reason (kept in the log) <input name="reason" maxlength="200" .value=${this.reason} /></label>
      <p class="problem" role="alert">${this.problem || nothing}</p>
      <div class="buttons">
        <button type="button" @click=${() => this.dialog.value?.close()}>Cancel</button>
        <button class="main">Next</button>
      </div>
    </form>`;
  }

  private field(tag: Tag): TemplateResult {
    const now = live.samples.get(tag.path)?.value ?? null;
    const states = Object.entries(tag.type === "bool" && !Object.keys(tag.states).length ? { "0": "Off", "1": "On" } : tag.states);
    if (states.length) {
      return html`<fieldset><legend>New state</legend>
        ${states.map(([number, text], index) => html`<label class="choice"><input type="radio" name="value" .value=${number} ?data-focus=${index === 0}
          .checked=${Number(this.value ?? now) === Number(number)} /> ${text}</label>`)}
      </fieldset>`;
    }
    if (tag.type === "string") {
      return html`<label>New text <input name="value" data-focus maxlength="255" .value=${String(this.value ?? now ?? "")} /></label>`;
    }
    const range = this.range(tag);
    const start = this.value ?? now;
    return html`<label>New value${tag.unit ? `, ${unitText(tag.unit)}` : ""}
      <input name="value" data-focus inputmode="decimal" autocomplete="off" aria-describedby="write-range"
        .value=${typeof start === "number" ? start.toFixed(this.decimals(tag)) : ""} /></label>
      <p id="write-range" class="hint">${range ? `${range[0]} … ${range[1]} ${tag.unit ? unitText(tag.unit) : ""}` : ""}</p>`;
  }

  private decimals(tag: Tag): number {
    return tag.type.includes("int") && !tag.unit ? 0 : tag.decimals;
  }

  private range(tag: Tag): [number, number] | null {
    return tag.limits ?? (tag.kind === "device" ? tag.range : null);
  }

  private chosen(event: SubmitEvent, tag: Tag): void {
    event.preventDefault();
    const data = new FormData(event.target as HTMLFormElement);
    const text = String(data.get("value") ?? "").trim();
    this.reason = String(data.get("reason") ?? "").trim();
    this.problem = "";
    if (tag.type === "string") this.value = text;
    else {
      const number = text === "" ? NaN : Number(text.replace(",", ".").replace("−", "-"));
      const range = this.range(tag);
      if (!Number.isFinite(number)) this.problem = `“${text}” is not a number.`;
      else if (range && (number < range[0] || number > range[1])) this.problem = `${text} is outside ${range[0]} … ${range[1]}${tag.unit ? ` ${unitText(tag.unit)}` : ""}.`;
      this.value = tag.type === "bool" ? number !== 0 : number;
    }
    if (!this.problem) this.confirm();
    this.requestUpdate();
  }

  private confirm(): void {
    this.old = (this.tag && live.samples.get(this.tag.path)?.value) ?? null;
    this.step = "confirm";
    void this.updateComplete.then(() => this.dialog.value?.querySelector<HTMLElement>("[data-focus]")?.focus());
  }

  private ask(tag: Tag) {
    const lost = live.link !== "live";
    return html`<p class="question">Change from <b>${valueText(tag, this.old)}</b> to <b class="new">${valueText(tag, this.value)}</b>?</p>
      ${this.reason ? html`<p>Reason: ${this.reason}</p>` : nothing}
      ${lost ? html`<p class="problem">No live data: writing is not possible now.</p>` : nothing}
      <div class="buttons">
        <button type="button" @click=${() => { this.step = "choose"; this.requestUpdate(); }}>Back</button>
        <button class="main" data-focus ?disabled=${lost} @click=${() => this.send(tag)}>Write</button>
      </div>`;
  }

  private outcome(tag: Tag) {
    const last = this.log.at(-1);
    const final = last !== undefined && (FINAL.includes(last.status) || last.status === "failed");
    return html`<p class="question">${valueText(tag, this.old)} → <b>${valueText(tag, this.value)}</b></p>
      <ol class="outcome" aria-live="polite">
        ${this.log.map((line) => html`<li data-status=${line.status}><time>${timeText(line.ms)}</time> ${MEANING[line.status] ?? line.status}
          ${line.reasons.length ? html`<ul>${line.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>` : nothing}</li>`)}
        ${final ? nothing : html`<li class="waiting">Waiting for the outcome…</li>`}
      </ol>
      <div class="buttons">
        ${final && last.status !== "confirmed" ? html`<button type="button" @click=${() => { this.step = "choose"; this.requestUpdate(); }}>Change and try again</button>` : nothing}
        <button class="main" data-focus @click=${() => this.dialog.value?.close()}>Close</button>
      </div>`;
  }

  private async send(tag: Tag): Promise<void> {
    const no = who.refusal(tag);
    this.step = "outcome";
    this.log = [];
    this.asked = newId();
    this.requestUpdate();
    if (no) return this.add("failed", [no], live.nowMs);
    const id = this.asked;
    try {
      const outcome = await request({ id, kind: "write", items: [[tag.path, this.value]], reason: this.reason });
      if (id === this.asked) this.add(outcome.status, outcome.reasons, live.nowMs);
    } catch (error) {
      if (id === this.asked) this.add("failed", [error instanceof ApiError ? error.message : String(error)], live.nowMs);
    }
  }

  private add(status: string, reasons: string[], ms: number): void {
    if (this.log.some((line) => line.status === status)) return;
    // The reply to the POST and the pushed events may cross: the final one stays last.
    const last = this.log.at(-1);
    if (last && FINAL.includes(last.status)) this.log = [...this.log.slice(0, -1), { status, reasons, ms }, last];
    else this.log = [...this.log, { status, reasons, ms }];
    this.requestUpdate();
  }

  private closed(): void {
    this.unwatch?.();
    this.unwatch = null;
    this.asked = "";
    this.tag = null;
    this.requestUpdate();
  }
}
customElements.define("scada-write", Write);

export function openWrite(tag: Tag, value?: Value): void {
  const app = document.querySelector("scada-app");
  if (!who.session.user) {
    app?.dispatchEvent(new Event("sign-in"));
    return;
  }
  (document.querySelector("scada-write") as Write | null)?.open(tag, value);
}
