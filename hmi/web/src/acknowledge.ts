// What people do with alarms: requests, their outcome told when it is not simply done.
import { ApiError, type AlarmKind, ITEMS_MAX, newId, request } from "./api";
import { say } from "./parts/notice";
import { who } from "./session";

const NOT: Partial<Record<AlarmKind, string>> = { acknowledge: "Not acknowledged", confirm: "Not confirmed" };

/** Asks for all of them, as many at once as a request takes; why not, or "". */
export async function ask(kind: AlarmKind, paths: string[], reason = "", forS?: number): Promise<string> {
  try {
    for (let at = 0; at < paths.length; at += ITEMS_MAX) {
      const items = paths.slice(at, at + ITEMS_MAX).map((path): [string, null] => [path, null]);
      const outcome = await request({ id: newId(), kind, items, reason, ...(forS === undefined ? {} : { for_s: forS }) });
      if (outcome.status !== "confirmed") return `${outcome.status}. ${outcome.reasons.join(". ")}`;
    }
    return "";
  } catch (error) {
    return error instanceof ApiError ? error.message : String(error);
  }
}

export const acknowledge = (paths: string[]) => atOnce("acknowledge", paths);
export const confirm = (paths: string[]) => atOnce("confirm", paths);

async function atOnce(kind: AlarmKind, paths: string[]): Promise<void> {
  const no = who.refusal(null);
  if (no && !who.session.user) {
    document.querySelector("scada-app")?.dispatchEvent(new Event("sign-in"));
    return;
  }
  const why = no || (await ask(kind, paths));
  if (why) say(`${NOT[kind]}${no ? "." : ":"} ${why}`, "bad");
}
