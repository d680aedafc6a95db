// Who is signed in at this page, and what that role may do.
import * as api from "./api";
import { setTimezone } from "./format";
import type { Session, Tag } from "./model";

const ROLES = ["viewer", "operator", "engineer", "admin"];

/** Event: `session`. */
class Who extends EventTarget {
  session: Session = { user: null, role: "viewer", site: "", timezone: "UTC", build: "" };

  async load(): Promise<void> {
    this.set(await api.session());
  }

  async signIn(name: string, password: string): Promise<void> {
    this.set(await api.login(name, password));
  }

  async signOut(): Promise<void> {
    this.set(await api.logout());
  }

  /** Why this person may not do it, or "" when they may. The server decides; this only spares a round trip. */
  refusal(tag: Tag | null, role = "operator"): string {
    if (!this.session.user) return "Sign in first.";
    const least = Math.max(ROLES.indexOf(role), tag ? ROLES.indexOf(tag.write_role) : 0);
    return ROLES.indexOf(this.session.role) >= least ? "" : `This takes the role ${ROLES[least]}; you are ${this.session.role}.`;
  }

  private set(session: Session): void {
    this.session = session;
    setTimezone(session.timezone);
    this.dispatchEvent(new Event("session"));
  }
}

export const who = new Who();
