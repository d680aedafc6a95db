// The state of the system itself: services, devices, arming, forces, bypasses. Level 4.
import { html, nothing } from "lit";
import * as api from "../api";
import { Panel } from "../element";
import { ageText, dateTimeText, NONE, numberText } from "../format";
import { live } from "../live";
import type { DeviceStatus, Status } from "../model";
import { tagLink } from "../parts/marks";

const UNITS: Record<string, [string, string, number]> = {
  period_asked: ["Period asked", "s", 3],
  period_achieved: ["Period achieved", "s", 3],
  latency_p50: ["Latency, median", "ms", 1],
  latency_p99: ["Latency, p99", "ms", 1],
  errors: ["Errors", "", 0],
  errors_timeout: ["No reply in time", "", 0],
  errors_mismatch: ["Wrong replies", "", 0],
  errors_closed: ["Connection lost", "", 0],
  errors_exception: ["Refused", "", 0],
  errors_connect: ["Failed connections", "", 0],
  link_load: ["Shared connection busy", "%", 0],
};

// Errors by kind are shown where there were any.
const KINDS = new Set(["errors_timeout", "errors_mismatch", "errors_closed", "errors_exception", "errors_connect"]);

const SLOW = 2; // of the states of a device

export class SystemPage extends Panel {
  private status: Status | null = null;
  private problem = "";
  private timer: ReturnType<typeof setInterval> | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = "System – Closedloop";
    this.follow(live, "link");
    this.timer = setInterval(() => void this.load(), 2000);
    void this.load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  override render() {
    const status = this.status;
    return html`<section class="page system" aria-labelledby="system-title">
      <header><h2 id="system-title">System</h2>
        ${status ? html`<span>Site ${status.site} · Closedloop ${status.version} · ${status.tags} tags · ${status.clients} open ${status.clients === 1 ? "page" : "pages"}</span>` : nothing}</header>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      ${status ? this.content(status) : nothing}
    </section>`;
  }

  private content(status: Status) {
    return html`
      <table class="list"><caption>Services</caption>
        <thead><tr><th scope="col">Service</th><th scope="col">State</th><th scope="col" class="n">Heartbeat</th><th scope="col" class="n">Memory</th></tr></thead>
        <tbody>${status.services.map((service) => html`<tr>
          <th scope="row">${service.name}</th>
          <td>${service.state === "running" ? "running" : html`<b class="abnormal">${service.state}</b>`}</td>
          <td class="n">${service.heartbeat_age_s === null ? NONE : `${ageText(service.heartbeat_age_s)} ago`}</td>
          <td class="n">${service.memory_mb === null ? NONE : `${numberText(service.memory_mb, 0)} MB`}</td></tr>`)}</tbody></table>
      <table class="list devices"><caption>Devices</caption>
        <thead><tr><th scope="col">Device</th><th scope="col">Connection</th><th scope="col">Outputs</th><th scope="col">Polling</th></tr></thead>
        <tbody>${status.devices.map((device) => this.device(device))}</tbody></table>
      <h3>Forced values</h3>
      ${status.forces.length
        ? html`<table class="list"><thead><tr><th scope="col">Tag</th><th scope="col" class="n">Value</th><th scope="col">Until</th><th scope="col">By</th><th scope="col">Reason</th></tr></thead>
          <tbody>${status.forces.map((force) => html`<tr><th scope="row">${tagLink(force.path)}</th><td class="n">${String(force.value)}</td>
            <td>${force.expires_ms === null ? NONE : dateTimeText(force.expires_ms)}</td><td>${force.user}</td><td>${force.reason}</td></tr>`)}</tbody></table>`
        : html`<p>None.</p>`}
      <h3>Bypassed protections</h3>
      ${status.bypasses.length
        ? html`<table class="list"><thead><tr><th scope="col">Protection</th><th scope="col">Since</th><th scope="col">Until</th><th scope="col">By</th><th scope="col">Reason</th></tr></thead>
          <tbody>${status.bypasses.map((bypass) => html`<tr><th scope="row">${tagLink(`${bypass.path}/BYPASSED`, bypass.path)}</th>
            <td>${dateTimeText(bypass.since_ms)}</td><td>${dateTimeText(bypass.until_ms)}</td><td>${bypass.user}</td><td>${bypass.reason}</td></tr>`)}</tbody></table>`
        : html`<p>None.</p>`}
      <p class="hint"><a href="static/third-party.txt">Others' work in this page, and its terms</a></p>`;
  }

  private device(device: DeviceStatus) {
    const age = device.values.good_age;
    return html`<tr><th scope="row">${device.name} <span class="hint">${device.driver}${device.simulated ? ", simulated" : ""}</span></th>
      <td>${device.connected ? (device.values.state === SLOW ? html`<b class="abnormal">slow</b>` : "connected") : html`<b class="abnormal">${device.connected === null ? "unknown" : "not connected"}</b>`}${device.reason ? html` <span class="hint">${device.reason}</span>` : nothing}</td>
      <td>${!device.outputs ? "none" : device.armed ? "armed" : html`<b class="abnormal">not armed: nothing is written</b>`}</td>
      <td><dl class="figures">${Object.entries(UNITS).map(([key, [text, unit, decimals]]) => {
        const value = device.values[key];
        return typeof value === "number" && (value > 0 || !KINDS.has(key)) ? html`<div><dt>${text}</dt><dd>${numberText(value, decimals)} ${unit}</dd></div>` : nothing;
      })}${typeof age === "number" ? html`<div><dt>Last good answer</dt><dd>${typeof device.values.latency_p50 === "number" ? `${ageText(age)} ago` : "none yet"}</dd></div>` : nothing}</dl></td></tr>`;
  }

  private async load(): Promise<void> {
    try {
      this.status = await api.status();
      this.problem = "";
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.requestUpdate();
  }
}
customElements.define("scada-system", SystemPage);
