// The alarm list: what is active or unacknowledged, the most urgent first, with acknowledge.
import { html, nothing } from "lit";
import { acknowledge } from "../acknowledge";
import { Panel } from "../element";
import { alarmState, byUrgency, momentText, numberText, RANK } from "../format";
import { live } from "../live";
import { ACTIVE, PRIORITIES, UNACKNOWLEDGED, type Alarm, type Priority } from "../model";
import { priorityMark, tagLink } from "../parts/marks";
import { link } from "../route";

export class AlarmsPage extends Panel {
  private left = new Set<Priority>();
  private suppressed = false;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "alarms", "link");
    document.title = "Alarms – Closedloop";
  }

  override render() {
    const all = live.alarms.filter((alarm) => this.suppressed || !(alarm.bits & 28));
    const shown = all.filter((alarm) => !this.left.has(alarm.priority)).sort(byUrgency);
    const open = shown.filter((alarm) => alarm.bits & UNACKNOWLEDGED);
    const aside = live.alarms.filter((alarm) => alarm.bits & 28).length;
    return html`<section class="page alarms" aria-labelledby="alarms-title">
      <header><h2 id="alarms-title">Alarms</h2>
        <div class="filters" role="group" aria-label="Priorities shown">
          ${PRIORITIES.map((priority) => {
          const count = all.filter((alarm) => alarm.priority === priority).length;
          return html`<button aria-pressed=${!this.left.has(priority)} class=${count ? "" : "none"} @click=${() => this.toggle(priority)}>
            ${priorityMark(priority)} ${priority} <b>${count}</b></button>`;
        })}
          ${aside ? html`<button aria-pressed=${this.suppressed} @click=${() => { this.suppressed = !this.suppressed; this.requestUpdate(); }}>Suppressed <b>${aside}</b></button>` : nothing}
        </div>
        <button class="ack-all" ?disabled=${!open.length || live.link !== "live"} @click=${() => acknowledge(open.slice(0, 100).map((alarm) => alarm.path))}>
          Acknowledge all shown (${open.length})</button>
      </header>
      ${shown.length ? this.table(shown) : html`<p class="empty">No active or unacknowledged alarms${this.left.size ? " of these priorities" : ""}.</p>`}
    </section>`;
  }

  private table(alarms: Alarm[]) {
    return html`<table class="list">
      <thead><tr><th scope="col">Priority</th><th scope="col">Since</th><th scope="col">Alarm</th><th scope="col">What to do</th><th scope="col">State</th><th scope="col"><span class="hidden">Acknowledge</span></th></tr></thead>
      <tbody>${alarms.map((alarm) => html`<tr data-ack=${alarm.bits & UNACKNOWLEDGED ? "no" : "yes"} data-active=${alarm.bits & ACTIVE ? "yes" : "no"} data-priority=${alarm.priority}>
        <td class="p ${alarm.bits & UNACKNOWLEDGED ? "blink" : ""}">${priorityMark(alarm.priority)} <span>${alarm.priority}</span></td>
        <td class="since"><time>${momentText(alarm.since_ms, live.nowMs)}</time></td>
        <td class="what">${tagLink(alarm.tag, alarm.path)} <span class="message">${alarm.message}</span>
          ${typeof alarm.value === "number" ? html`<span class="value">${numberText(alarm.value, 2)}</span>` : nothing}
          <span class="sub"><time>${momentText(alarm.since_ms, live.nowMs)}</time> · ${alarmState(alarm.bits)}<br />${alarm.response}</span></td>
        <td class="response">${alarm.response}</td>
        <td class="state">${alarmState(alarm.bits)}</td>
        <td class="do">${alarm.bits & UNACKNOWLEDGED
          ? html`<button ?disabled=${live.link !== "live"} @click=${() => acknowledge([alarm.path])} aria-label="Acknowledge ${alarm.path}, priority ${RANK[alarm.priority]}">Acknowledge</button>`
          : nothing}</td>
      </tr>`)}</tbody></table>
      <p class="hint">Acknowledging says that you know; the alarm leaves the list when its cause is gone. <a href=${link({ page: "tags", name: "", tag: "" })}>All tags</a></p>`;
  }

  private toggle(priority: Priority): void {
    if (!this.left.delete(priority)) this.left.add(priority);
    this.requestUpdate();
  }
}
customElements.define("scada-alarms", AlarmsPage);
