// One line at the foot of the page for what went wrong or was done elsewhere; stays until closed or replaced.
import { html, nothing } from "lit";
import { Panel } from "../element";

const notices = new EventTarget();
let current = { text: "", kind: "info" };

export function say(text: string, kind: "info" | "bad" = "info"): void {
  current = { text, kind };
  notices.dispatchEvent(new Event("notice"));
}

export class Notice extends Panel {
  override connectedCallback(): void {
    super.connectedCallback();
    this.follow(notices, "notice");
  }

  override render() {
    return html`<div role="status" class="notice ${current.kind}" ?hidden=${!current.text}>
      ${current.text ? html`<span>${current.text}</span><button @click=${() => say("")}>Close</button>` : nothing}
    </div>`;
  }
}
customElements.define("scada-notice", Notice);
