// The dialog of one alarm: what is known of it, and what may be done with it. Nothing is sent before the last button.
import { html, nothing } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import { ask } from "../acknowledge";
import type { AlarmKind } from "../api";
import { Panel } from "../element";
import { alarmState, dateTimeText } from "../format";
import { live } from "../live";
import { BY_REQUEST, DISABLED, OUT_OF_SERVICE, SHELVED, UNACKNOWLEDGED, UNCONFIRMED, type Alarm, type Remark } from "../model";
import { link } from "../route";
import { who } from "../session";
import { priorityMark } from "./marks";

interface Operation {
  kind: AlarmKind;
  text: string;
  hint: string;
  role: "operator" | "engineer";
  reasoned: boolean;
  fits: (alarm: Alarm) => boolean;
}

const on = (bit: number) => (alarm: Alarm) => !!(alarm.bits & bit) && !(alarm.bits & DISABLED);
const off = (bit: number) => (alarm: Alarm) => !(alarm.bits & (bit | DISABLED));
const OPERATIONS: Operation[] = [
  { kind: "acknowledge", text: "Acknowledge", hint: "You know", role: "operator", reasoned: false, fits: on(UNACKNOWLEDGED) },
  { kind: "confirm", text: "Confirm", hint: "What was to be done is done", role: "operator", reasoned: false, fits: on(UNCONFIRMED) },
  { kind: "shelve", text: "Shelve", hint: "Off the list for a time, then back by itself", role: "operator", reasoned: true, fits: (alarm) => !(alarm.bits & DISABLED) && alarm.shelve_max_s > 0 },
  { kind: "unshelve", text: "Unshelve", hint: "Back to the list now", role: "operator", reasoned: false, fits: on(SHELVED) },
  { kind: "comment", text: "Comment", hint: "Kept with the alarm", role: "operator", reasoned: true, fits: off(0) },
  { kind: "suppress", text: "Suppress", hint: "Off the list until somebody ends it", role: "operator", reasoned: true, fits: off(BY_REQUEST) },
  { kind: "unsuppress", text: "End suppression", hint: "Back to the list now", role: "operator", reasoned: false, fits: on(BY_REQUEST) },
  { kind: "remove", text: "Take out of service", hint: "For maintenance, until it is returned", role: "engineer", reasoned: true, fits: off(OUT_OF_SERVICE) },
  { kind: "return", text: "Return to service", hint: "Maintenance is done", role: "engineer", reasoned: false, fits: on(OUT_OF_SERVICE) },
  { kind: "disable", text: "Disable", hint: "Its condition is not looked at any more", role: "engineer", reasoned: true, fits: off(0) },
  { kind: "enable", text: "Enable", hint: "Its condition is looked at again", role: "engineer", reasoned: false, fits: (alarm) => !!(alarm.bits & DISABLED) },
];
const TIMES: [string, number][] = [["15 min", 900], ["30 min", 1800], ["1 h", 3600], ["2 h", 7200], ["4 h", 14_400], ["8 h", 28_800], ["1 d", 86_400], ["3 d", 259_200], ["7 d", 604_800]];

export class AlarmDialog extends Panel {
  private dialog = createRef<HTMLDialogElement>();
  private alarm: Alarm | null = null;
  private kind: AlarmKind | null = null;
  private problem = "";
  private busy = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "alarms", "link");
    this.follow(who, "session");
  }

  open(alarm: Alarm, kind: AlarmKind | null = null): void {
    this.alarm = alarm;
    this.kind = kind;
    this.problem = "";
    this.requestUpdate();
    void this.updateComplete.then(() => this.dialog.value?.showModal());
  }

  override render() {
    const { alarm } = this;
    // The newest of it; an alarm that is at rest again has left the list.
    const now = alarm && (live.alarms.find((one) => one.path === alarm.path) ?? { ...alarm, bits: 0, aside: null });
    return html`<dialog ${ref(this.dialog)} class="alarm" aria-labelledby="alarm-title" @close=${this.closed}>${now ? this.content(now) : nothing}</dialog>`;
  }

  private content(alarm: Alarm) {
    const fitting = OPERATIONS.filter((one) => one.fits(alarm));
    const chosen = fitting.find((one) => one.kind === this.kind);
    return html`<form @submit=${(event: SubmitEvent) => this.send(event, alarm, chosen)} novalidate>
      <h2 id="alarm-title">${priorityMark(alarm.priority)} ${alarm.path}</h2>
      <p class="message">${alarm.message}</p>
      ${alarm.response ? html`<p class="response">${alarm.response}</p>` : nothing}
      <dl class="facts">
        <div><dt>State</dt><dd>${alarmState(alarm.bits)}${alarm.unshelve_ms ? `, at most until ${dateTimeText(alarm.unshelve_ms)}` : ""}</dd></div>
        ${fact("Put aside", alarm.aside)} ${fact("Acknowledged", alarm.acknowledged)} ${alarm.comment?.text ? fact("Comment", alarm.comment) : nothing}
      </dl>
      <p><a href=${link({ page: "alarms", name: `history/${alarm.path}`, tag: "" })} @click=${() => this.dialog.value?.close()}>What happened to it</a></p>
      <fieldset><legend>Operation</legend>
        ${fitting.map((one) => {
          const no = who.refusal(null, one.role);
          return html`<label class="choice ${no ? "not" : ""}"><input type="radio" name="kind" .value=${one.kind} ?disabled=${!!no} .checked=${one.kind === this.kind}
            @change=${() => { this.kind = one.kind; this.problem = ""; this.requestUpdate(); }} /> <span>${one.text} <span class="hint">${no || one.hint}</span></span></label>`;
        })}
      </fieldset>
      ${chosen?.kind === "shelve" ? this.times(alarm) : nothing}
      ${chosen ? html`<label>${chosen.reasoned ? "Reason" : "Comment (may be left out)"} <input name="reason" maxlength="500" autocomplete="off" ?required=${chosen.reasoned} /></label>` : nothing}
      <p class="problem" role="alert">${this.problem || nothing}</p>
      <div class="buttons">
        <button type="button" @click=${() => this.dialog.value?.close()}>Cancel</button>
        <button class="main" ?disabled=${!chosen || this.busy || live.link !== "live"}>${chosen?.text ?? "Choose"}</button>
      </div>
    </form>`;
  }

  private times(alarm: Alarm) {
    const fitting = TIMES.filter(([, seconds]) => seconds <= alarm.shelve_max_s);
    const shown: [string, number][] = fitting.length ? fitting : [["longest time allowed", alarm.shelve_max_s]];
    return html`<label>For how long <select name="time">
      ${shown.map(([text, seconds], index) => html`<option .value=${String(seconds)} ?selected=${index === Math.min(2, shown.length - 1)}>${text}</option>`)}
      <option value="">until it is normal</option></select></label>`;
  }

  private async send(event: SubmitEvent, alarm: Alarm, chosen: Operation | undefined): Promise<void> {
    event.preventDefault();
    if (!chosen || this.busy) return;
    const data = new FormData(event.target as HTMLFormElement);
    const reason = String(data.get("reason") ?? "").trim();
    if (chosen.reasoned && !reason) {
      this.problem = "Say why: it is kept with the alarm.";
      this.requestUpdate();
      return;
    }
    const time = String(data.get("time") ?? "");
    this.busy = true;
    this.requestUpdate();
    this.problem = await ask(chosen.kind, [alarm.path], reason, chosen.kind === "shelve" && time ? Number(time) : undefined);
    this.busy = false;
    this.requestUpdate();
    if (!this.problem) this.dialog.value?.close();
  }

  private closed(): void {
    this.alarm = null;
    this.requestUpdate();
  }
}
customElements.define("scada-alarm", AlarmDialog);

function fact(name: string, remark: Remark | null) {
  return remark ? html`<div><dt>${name}</dt><dd>${dateTimeText(remark.t_ms)}${remark.user ? ` by ${remark.user}` : ""}${remark.text ? `: ${remark.text}` : ""}</dd></div>` : nothing;
}

export function openAlarm(alarm: Alarm, kind: AlarmKind | null = null): void {
  if (!who.session.user) {
    document.querySelector("scada-app")?.dispatchEvent(new Event("sign-in"));
    return;
  }
  (document.querySelector("scada-alarm") as AlarmDialog | null)?.open(alarm, kind);
}
