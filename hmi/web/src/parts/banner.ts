// The alarm banner: always there. Counts per priority, the most urgent alarm with its acknowledge button.
import { html, nothing } from "lit";
import { acknowledge } from "../acknowledge";
import { Panel } from "../element";
import { byUrgency, momentText, RANK } from "../format";
import { live } from "../live";
import { ACTIVE, HIDDEN, PRIORITIES, UNACKNOWLEDGED, type Alarm } from "../model";
import { link } from "../route";
import { who } from "../session";
import { priorityMark, tagLink } from "./marks";

export class Banner extends Panel {
  private heard = new Set<string>();
  private said = "";
  private first = true;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "alarms", "link");
    this.follow(who, "session");
    const beat = () => this.requestUpdate();
    live.addEventListener("beat", beat);
    this.later(() => live.removeEventListener("beat", beat));
  }

  override render() {
    const shown = live.alarms.filter((alarm) => alarm.bits & (ACTIVE | UNACKNOWLEDGED) && !(alarm.bits & HIDDEN)).sort(byUrgency);
    const top = shown[0];
    const aside = live.alarms.filter((alarm) => alarm.aside).length;
    const news = shown.filter((alarm) => alarm.bits & UNACKNOWLEDGED && !this.heard.has(alarm.path));
    // A screen reader hears an alarm once when it comes, not each time that its value changes.
    if (news.length && !this.first) this.said = news.slice(0, 3).map((alarm) => `${alarm.priority} alarm: ${alarm.message}, ${alarm.tag}`).join(". ");
    this.first = this.first && live.heartbeat === null;
    this.heard = new Set(shown.filter((alarm) => alarm.bits & UNACKNOWLEDGED).map((alarm) => alarm.path));
    return html`<section class="banner" aria-label="Alarm banner" data-worst=${top && top.bits & UNACKNOWLEDGED ? top.priority : "none"}>
      <a class="counts" href=${link({ page: "alarms", name: "", tag: "" })}><span class="hidden">Alarm list: </span>
        ${PRIORITIES.map((priority) => {
          const open = live.counts.unacknowledged[priority];
          const active = live.counts.active[priority];
          return html`<span class="count ${open ? "open" : active ? "" : "none"}" title="${priority}: ${active} active, ${open} unacknowledged">
            ${priorityMark(priority)}<b>${Math.max(active, open)}</b><span class="hidden">, ${open} unacknowledged; </span></span>`;
        })}
      </a>
      ${top ? this.top(top, shown.length) : html`<span class="quiet">No active alarms</span>`}
      ${aside ? html`<a class="aside" href=${link({ page: "alarms", name: "aside", tag: "" })}>${aside} put aside</a>` : nothing}
      <span class="hidden" role="alert">${this.said}</span>
    </section>`;
  }

  private top(alarm: Alarm, count: number) {
    return html`<span class="top ${alarm.bits & UNACKNOWLEDGED ? "blink" : ""}">
      ${priorityMark(alarm.priority)}
      <time>${momentText(alarm.since_ms, live.nowMs)}</time>
      ${tagLink(alarm.tag, alarm.path)}
      <span class="message">${alarm.message}</span>
      ${alarm.bits & ACTIVE ? nothing : html`<span class="returned">(returned)</span>`}
      ${count > 1 ? html`<a class="more" href=${link({ page: "alarms", name: "", tag: "" })}>+${count - 1} more</a>` : nothing}
    </span>
    ${alarm.bits & UNACKNOWLEDGED
      ? html`<button class="ack" ?disabled=${live.link !== "live"} @click=${() => acknowledge([alarm.path])}
          aria-label="Acknowledge ${alarm.path}, priority ${RANK[alarm.priority]}">Acknowledge</button>`
      : nothing}`;
  }
}
customElements.define("scada-banner", Banner);
