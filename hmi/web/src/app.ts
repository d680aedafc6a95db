// The frame around the pages: name, navigation, banner, state of the link, sign-in.
import { html, nothing } from "lit";
import * as api from "./api";
import { Panel } from "./element";
import { ageText, dateTimeText } from "./format";
import { live } from "./live";
import type { DisplayInfo } from "./model";
import { link, open, parse } from "./route";
import { who } from "./session";
import type { Login } from "./parts/login";
import "./pages/alarms";
import "./pages/display";
import "./pages/system";
import "./pages/tag";
import "./pages/tags";
import "./pages/trend";
import "./parts/alarm";
import "./parts/banner";
import "./parts/login";
import "./parts/notice";
import "./parts/write";

export class App extends Panel {
  private displays: DisplayInfo[] = [];
  private route = parse(location.hash);
  private problem = "";
  private shown = "";

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(live, "link", "beat");
    this.follow(who, "session");
    const moved = () => {
      this.route = parse(location.hash);
      this.requestUpdate();
    };
    addEventListener("hashchange", moved);
    this.later(() => removeEventListener("hashchange", moved));
    const signIn = () => this.querySelector<Login>("scada-login")?.open();
    this.addEventListener("sign-in", signIn);
    const escape = (event: KeyboardEvent) => {
      if (event.key === "Escape" && this.route.tag && !this.querySelector("dialog[open]")) open({ tag: "" });
    };
    addEventListener("keydown", escape);
    this.later(() => removeEventListener("keydown", escape));
    // The session may have ended, and displays may be new, when the link comes back.
    const back = () => live.link === "live" && void this.load();
    live.addEventListener("link", back);
    this.later(() => live.removeEventListener("link", back));
    void this.load();
  }

  override updated(): void {
    const here = this.querySelector("nav [aria-current]");
    const nav = here?.parentElement;
    if (!here || !nav || this.shown === location.hash) return;
    this.shown = location.hash;
    const [a, b] = [here.getBoundingClientRect(), nav.getBoundingClientRect()];
    if (a.left < b.left || a.right > b.right) nav.scrollLeft += a.left - b.left - 20;
  }

  override render() {
    const { page, tag } = this.route;
    const name = this.route.name || this.displays[0]?.name || "";
    return html`
      <a class="skip" href="#main" @click=${this.skip}>Skip to content</a>
      <header class="top">
        <h1 class="site"><a href="#/">${who.session.site || "Closedloop"}</a></h1>
        <nav aria-label="Displays and lists">
          ${this.displays.map((display) => this.nav("display", display.name, display.title, page === "display" && name === display.name))}
          ${this.nav("alarms", "", "Alarms", page === "alarms")} ${this.nav("tags", "", "Tags", page === "tags")} ${this.nav("trend", page === "trend" ? this.route.name : "", "Trend", page === "trend")} ${this.nav("system", "", "System", page === "system")}
        </nav>
        <span class="link-state" data-link=${live.link} title="Heartbeat of the server">${{ live: "Live", lost: "No data", connecting: "Connecting…" }[live.link]}</span>
        <time class="clock">${live.heartbeat ? dateTimeText(live.nowMs) : ""}</time>
        ${this.session()}
      </header>
      <scada-banner></scada-banner>
      ${this.warnings()}
      <main id="main" tabindex="-1" class=${tag ? "with-panel" : ""}>
        <div class="content">${this.page(page, name)}</div>
        ${tag ? html`<scada-tag .path=${tag}></scada-tag>` : nothing}
      </main>
      <scada-notice></scada-notice>
      <scada-login></scada-login>
      <scada-write></scada-write>
      <scada-alarm></scada-alarm>`;
  }

  private nav(page: string, name: string, text: string, here: boolean) {
    return html`<a href=${link({ page, name, tag: "" })} aria-current=${here ? "page" : nothing}>${text}</a>`;
  }

  private session() {
    const { user, role } = who.session;
    return user
      ? html`<span class="who"><b>${user}</b> <span class="role">${role}</span> <button @click=${() => void who.signOut().catch(() => undefined)}>Sign out</button></span>`
      : html`<span class="who"><button @click=${() => this.dispatchEvent(new Event("sign-in"))}>Sign in</button></span>`;
  }

  private warnings() {
    const beat = live.heartbeat;
    return html`<section aria-label="State of the system">
      <div class="lost" role="alert" ?hidden=${live.link !== "lost"}>
        ${live.link === "lost" ? html`<b>NO LIVE DATA</b> for ${ageText(live.silenceS)}. What you see is old. Trying to reconnect…` : nothing}
      </div>
      ${this.problem && live.link !== "lost" ? html`<div class="warning" role="alert">${this.problem}</div>` : nothing}
      ${beat && live.link === "live" ? html`
        ${beat.down.length ? html`<div class="warning" role="alert"><b>${beat.down.join(", ")}</b> ${beat.down.length > 1 ? "are" : "is"} not running. ${beat.down.includes("control") ? "Nothing is controlled and no request is carried out." : ""} <a href="#/system">System</a></div>` : nothing}
        ${beat.unarmed.length ? html`<div class="warning mild">Outputs of <b>${beat.unarmed.join(", ")}</b> are not armed: nothing is written there. <a href="#/system">System</a></div>` : nothing}
        ${beat.forces ? html`<div class="warning mild"><b>${beat.forces}</b> ${beat.forces > 1 ? "values are" : "value is"} forced by hand. <a href="#/system">System</a></div>` : nothing}
        ${beat.bypasses ? html`<div class="warning mild"><b>${beat.bypasses}</b> ${beat.bypasses > 1 ? "protections are" : "protection is"} bypassed. <a href="#/system">System</a></div>` : nothing}` : nothing}</section>`;
  }

  private page(page: string, name: string) {
    switch (page) {
      case "alarms": return html`<scada-alarms .name=${this.route.name}></scada-alarms>`;
      case "tags": return html`<scada-tags></scada-tags>`;
      case "trend": return html`<scada-trend-page .name=${this.route.name}></scada-trend-page>`;
      case "system": return html`<scada-system></scada-system>`;
      default: return name ? html`<scada-display .name=${name}></scada-display>` : html`<p class="empty">This site has no displays. See <a href="#/tags">all tags</a>.</p>`;
    }
  }

  private skip(event: Event): void {
    event.preventDefault();
    this.querySelector<HTMLElement>("main")?.focus();
  }

  private async load(): Promise<void> {
    try {
      const [{ displays }] = await Promise.all([api.displays(), who.load()]);
      this.displays = [...displays].sort((a, b) => a.level - b.level || a.name.localeCompare(b.name));
      this.problem = "";
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.requestUpdate();
  }
}
customElements.define("scada-app", App);
