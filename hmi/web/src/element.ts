// The base of our elements: light DOM (one stylesheet), and listeners that go when the element goes.
import { LitElement } from "lit";

export class Panel extends LitElement {
  private undo: (() => void)[] = [];

  protected override createRenderRoot(): this {
    return this;
  }

  /** Renders again whenever `source` dispatches one of `events`. */
  protected follow(source: EventTarget, ...events: string[]): void {
    const again = () => this.requestUpdate();
    for (const event of events) {
      source.addEventListener(event, again);
      this.undo.push(() => source.removeEventListener(event, again));
    }
  }

  /** Runs `undo` when the element goes. */
  protected later(undo: () => void): void {
    this.undo.push(undo);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const undo of this.undo.splice(0)) undo();
  }
}
