// Alarms: what wants somebody, the most urgent first; what is put aside, with who and how long; what happened.
import { html, nothing } from "lit";
import { acknowledge, confirm } from "../acknowledge";
import * as api from "../api";
import { Panel } from "../element";
import { ageText, alarmState, byUrgency, momentText, numberText, RANK } from "../format";
import { live } from "../live";
import { ACTIVE, ATTENTION, BY_REQUEST, DISABLED, HIDDEN, ONE_SHOT, OUT_OF_SERVICE, PRIORITIES, UNACKNOWLEDGED, UNCONFIRMED, type Alarm, type AlarmEvent, type Priority } from "../model";
import { openAlarm } from "../parts/alarm";
import { priorityMark, tagLink } from "../parts/marks";
import { link } from "../route";

const STEP = 200;
const SPANS: [string, string][] = [["8 h", "-8h"], ["24 h", "-24h"], ["7 d", "-7d"], ["30 d", "-30d"]];
const ACTIONS: Record<string, string> = {
  raise: "Came", clear: "Returned to normal", acknowledge: "Acknowledged", confirm: "Confirmed", comment: "Commented", shelve: "Shelved",
  unshelve: "Unshelved", suppress: "Suppressed", unsuppress: "No longer suppressed", remove: "Taken out of service",
  return: "Returned to service", disable: "Disabled", enable: "Enabled", clock: "Clock was set",
};

export class AlarmsPage extends Panel {
  static override properties = { name: {} };
  declare name: string;
  private left = new Set<Priority>();
  private span = "-24h";
  private people = false;
  private limit = STEP;
  private events: AlarmEvent[] = [];
  private more = false;
  private problem = "";
  private turn = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "alarms", "link", "beat");
    const told = () => this.isPast && void this.load();
    live.addEventListener("alarms", told);
    this.later(() => live.removeEventListener("alarms", told));
    document.title = "Alarms – Closedloop";
  }

  override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("name") && this.isPast) {
      this.events = [];
      void this.load();
    }
  }

  private get isPast(): boolean {
    return this.name.split("/")[0] === "history";
  }

  /** Of `history/<alarm>`: only this one. */
  private get only(): string {
    return this.isPast ? this.name.slice("history/".length) : "";
  }

  override render() {
    const aside = live.alarms.filter((alarm) => alarm.bits & HIDDEN);
    const standing = live.alarms.filter((alarm) => alarm.bits & ATTENTION && !(alarm.bits & HIDDEN));
    const page = this.isPast ? "history" : this.name === "aside" ? "aside" : "";
    return html`<section class="page alarms" aria-labelledby="alarms-title">
      <header><h2 id="alarms-title">Alarms</h2>
        <div class="views" role="group" aria-label="Lists of alarms">
          ${this.view("", "Standing", standing.length, page)} ${this.view("aside", "Put aside", aside.length, page)} ${this.view("history", "History", null, page)}
        </div>
        ${page === "history" ? this.spans() : this.filters(page ? aside : standing)}
        ${page ? nothing : this.ackAll(standing)}
      </header>
      ${{ "": () => this.standing(standing), aside: () => this.aside(aside), history: () => this.past() }[page]()}
    </section>`;
  }

  private view(name: string, text: string, count: number | null, here: string) {
    return html`<a href=${link({ page: "alarms", name, tag: "" })} aria-current=${name === here ? "page" : nothing}>${text}${count === null ? nothing : html` <b>${count}</b>`}</a>`;
  }

  private filters(alarms: Alarm[]) {
    return html`<div class="filters" role="group" aria-label="Priorities shown">
      ${PRIORITIES.map((priority) => {
      const count = alarms.filter((alarm) => alarm.priority === priority).length;
      return html`<button aria-pressed=${!this.left.has(priority)} class=${count ? "" : "none"} @click=${() => this.toggle(priority)}>
        ${priorityMark(priority)} ${priority} <b>${count}</b></button>`;
    })}</div>`;
  }

  private ackAll(alarms: Alarm[]) {
    const open = this.chosen(alarms).filter((alarm) => alarm.bits & UNACKNOWLEDGED);
    return html`<button class="ack-all" ?disabled=${!open.length || live.link !== "live"} @click=${() => acknowledge(open.map((alarm) => alarm.path))}>
      Acknowledge all shown (${open.length})</button>`;
  }

  private chosen(alarms: Alarm[]): Alarm[] {
    return alarms.filter((alarm) => !this.left.has(alarm.priority)).sort(byUrgency);
  }

  // ---- what wants somebody

  private standing(alarms: Alarm[]) {
    const shown = this.chosen(alarms);
    if (!shown.length) return html`<p class="empty">No active or unacknowledged alarms${this.left.size ? " of these priorities" : ""}.</p>`;
    return html`<table class="list">
      <thead><tr><th scope="col">Priority</th><th scope="col">Since</th><th scope="col">Alarm</th><th scope="col">What to do</th><th scope="col">State</th><th scope="col"><span class="hidden">Operations</span></th></tr></thead>
      <tbody>${shown.map((alarm) => html`<tr data-ack=${alarm.bits & UNACKNOWLEDGED ? "no" : "yes"} data-active=${alarm.bits & ACTIVE ? "yes" : "no"} data-priority=${alarm.priority}>
        <td class="p ${alarm.bits & UNACKNOWLEDGED ? "blink" : ""}">${priorityMark(alarm.priority)} <span>${alarm.priority}</span></td>
        <td class="since"><time>${momentText(alarm.since_ms, live.nowMs)}</time></td>
        <td class="what">${tagLink(alarm.tag, alarm.path)} <span class="message">${alarm.message}</span>
          ${typeof alarm.value === "number" ? html`<span class="value">${numberText(alarm.value, 2)}</span>` : nothing}
          ${this.comment(alarm)}
          <span class="sub"><time>${momentText(alarm.since_ms, live.nowMs)}</time> · ${alarmState(alarm.bits)}<br />${alarm.response}</span></td>
        <td class="response">${alarm.response}</td>
        <td class="state">${alarmState(alarm.bits)}${alarm.acknowledged?.user ? html`<span class="by">by ${alarm.acknowledged.user}</span>` : nothing}</td>
        <td class="do">${this.first(alarm)} ${this.others(alarm)}</td>
      </tr>`)}</tbody></table>
      <p class="hint">Acknowledging says that you know; the alarm leaves the list when its cause is gone. <a href=${link({ page: "tags", name: "", tag: "" })}>All tags</a></p>`;
  }

  private first(alarm: Alarm) {
    const dead = live.link !== "live";
    if (alarm.bits & UNACKNOWLEDGED) return html`<button ?disabled=${dead} @click=${() => acknowledge([alarm.path])} aria-label="Acknowledge ${alarm.path}, priority ${RANK[alarm.priority]}">Acknowledge</button>`;
    if (alarm.bits & UNCONFIRMED) return html`<button ?disabled=${dead} @click=${() => confirm([alarm.path])} aria-label="Confirm ${alarm.path}, priority ${RANK[alarm.priority]}">Confirm</button>`;
    return nothing;
  }

  private others(alarm: Alarm) {
    return html`<button class="others" ?disabled=${live.link !== "live"} @click=${() => openAlarm(alarm)} aria-haspopup="dialog" aria-label="More… operations on ${alarm.path}">More…</button>`;
  }

  private comment(alarm: Alarm) {
    return alarm.comment?.text ? html`<span class="comment">“${alarm.comment.text}” ${alarm.comment.user}, ${momentText(alarm.comment.t_ms, live.nowMs)}</span>` : nothing;
  }

  // ---- what is put aside

  private aside(alarms: Alarm[]) {
    const shown = this.chosen(alarms);
    if (!shown.length) return html`<p class="empty">Nothing is shelved, suppressed, out of service or disabled${this.left.size ? " of these priorities" : ""}.</p>`;
    return html`<table class="list">
      <thead><tr><th scope="col">Priority</th><th scope="col">Ends</th><th scope="col">Alarm</th><th scope="col">Why</th><th scope="col">State</th><th scope="col"><span class="hidden">Operations</span></th></tr></thead>
      <tbody>${shown.map((alarm) => html`<tr data-active=${alarm.bits & ACTIVE ? "yes" : "no"} data-priority=${alarm.priority}>
        <td class="p">${priorityMark(alarm.priority)} <span>${alarm.priority}</span></td>
        <td class="since">${this.ends(alarm)}</td>
        <td class="what">${tagLink(alarm.tag, alarm.path)} <span class="message">${alarm.message}</span>
          <span class="sub">${alarmState(alarm.bits)}${alarm.bits & ACTIVE ? ", the condition holds" : ""} · ${this.ends(alarm)}<br />${this.why(alarm)}</span></td>
        <td class="response">${this.why(alarm)}</td>
        <td class="state">${alarmState(alarm.bits)}${alarm.bits & ACTIVE ? html`<span class="by">the condition holds</span>` : nothing}</td>
        <td class="do">${this.others(alarm)}</td>
      </tr>`)}</tbody></table>
      <p class="hint">What is put aside comes back as a new alarm when it ends and the condition holds.</p>`;
  }

  private ends(alarm: Alarm): string {
    // The end of a shelf brings nothing back that people put aside otherwise too.
    if (!alarm.unshelve_ms || alarm.bits & (BY_REQUEST | OUT_OF_SERVICE | DISABLED)) return alarm.aside ? "when ended" : "by design";
    const left = ageText(Math.max(0, (alarm.unshelve_ms - live.nowMs) / 1000));
    return alarm.bits & ONE_SHOT ? `normal, or ${left}` : `in ${left}`;
  }

  private why(alarm: Alarm) {
    if (!alarm.aside) return "Meaningless in this state of the plant";
    return html`${alarm.aside.text || "–"}<span class="by">${alarm.aside.user}, ${momentText(alarm.aside.t_ms, live.nowMs)}</span>`;
  }

  // ---- what happened

  private spans() {
    return html`<div class="filters" role="group" aria-label="Time shown">
      ${SPANS.map(([text, span]) => html`<button aria-pressed=${this.span === span} @click=${() => { this.span = span; this.limit = STEP; void this.load(); }}>${text}</button>`)}
      <button aria-pressed=${this.people} @click=${() => { this.people = !this.people; this.limit = STEP; void this.load(); }}>Only what people did</button>
      ${this.only ? html`<a class="only" href=${link({ page: "alarms", name: "history", tag: "" })}>Only ${this.only}: show all</a>` : nothing}</div>`;
  }

  private past() {
    if (this.problem) return html`<p class="problem" role="alert">${this.problem}</p>`;
    if (!this.events.length) return html`<p class="empty">Nothing happened to alarms in this time.</p>`;
    return html`<table class="list past">
      <thead><tr><th scope="col">Priority</th><th scope="col">Time</th><th scope="col">Alarm</th><th scope="col">What</th><th scope="col">Then</th><th scope="col">By</th></tr></thead>
      <tbody>${this.events.map((event) => html`<tr data-action=${event.action}>
        <td class="p">${priorityMark(event.priority)} <span>${event.priority}</span></td>
        <td class="since"><time>${momentText(event.t_ms, live.nowMs)}</time></td>
        <td class="what">${tagLink(event.path)} <span class="message">${event.message}</span>
          <span class="sub"><time>${momentText(event.t_ms, live.nowMs)}</time> · ${ACTIONS[event.action] ?? event.action}${event.user ? ` by ${event.user}` : ""}${event.comment ? `: “${event.comment}”` : ""}</span></td>
        <td class="response">${ACTIONS[event.action] ?? event.action}${event.comment ? html`<span class="comment">“${event.comment}”</span>` : nothing}</td>
        <td class="state">${alarmState(event.after)}</td>
        <td class="user">${event.user}${event.source ? html`<span class="by">${event.source}</span>` : nothing}</td>
      </tr>`)}</tbody></table>
      ${this.more ? html`<button class="more" @click=${() => { this.limit += STEP; void this.load(); }}>Show older ones</button>` : nothing}`;
  }

  private async load(): Promise<void> {
    const turn = ++this.turn;
    try {
      const { events, more } = await api.alarmEvents(this.span, this.people, this.only, this.limit);
      if (turn !== this.turn) return;
      this.events = events;
      this.more = more;
      this.problem = "";
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.requestUpdate();
  }

  private toggle(priority: Priority): void {
    if (!this.left.delete(priority)) this.left.add(priority);
    this.requestUpdate();
  }
}
customElements.define("scada-alarms", AlarmsPage);
