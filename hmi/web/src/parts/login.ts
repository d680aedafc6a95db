// The sign-in dialog.
import { html, nothing } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import { ApiError } from "../api";
import { Panel } from "../element";
import { who } from "../session";

export class Login extends Panel {
  private dialog = createRef<HTMLDialogElement>();
  private problem = "";
  private busy = false;

  open(): void {
    this.problem = "";
    this.requestUpdate();
    this.dialog.value?.showModal();
  }

  override render() {
    return html`<dialog ${ref(this.dialog)} aria-labelledby="login-title">
      <form @submit=${this.submit}>
        <h2 id="login-title">Sign in</h2>
        <label>Name <input name="name" autocomplete="username" autocapitalize="none" required maxlength="32" autofocus /></label>
        <label>Password <input name="password" type="password" autocomplete="current-password" required maxlength="1024" /></label>
        <p class="problem" role="alert">${this.problem || nothing}</p>
        <div class="buttons">
          <button type="button" @click=${() => this.dialog.value?.close()}>Cancel</button>
          <button class="main" ?disabled=${this.busy}>${this.busy ? "Checking…" : "Sign in"}</button>
        </div>
      </form>
    </dialog>`;
  }

  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const data = new FormData(form);
    this.busy = true;
    this.problem = "";
    this.requestUpdate();
    try {
      await who.signIn(String(data.get("name")), String(data.get("password")));
      form.reset();
      this.dialog.value?.close();
    } catch (error) {
      this.problem = error instanceof ApiError ? error.message : String(error);
    } finally {
      this.busy = false;
      this.requestUpdate();
    }
  }
}
customElements.define("scada-login", Login);
