// Acknowledging alarms: one request, its outcome told when it is not simply done.
import { ApiError, newId, request } from "./api";
import { say } from "./parts/notice";
import { who } from "./session";

export async function acknowledge(paths: string[]): Promise<void> {
  const no = who.refusal(null);
  if (no) {
    if (!who.session.user) document.querySelector("scada-app")?.dispatchEvent(new Event("sign-in"));
    else say(`Not acknowledged. ${no}`, "bad");
    return;
  }
  try {
    const outcome = await request({ id: newId(), kind: "acknowledge", items: paths.map((path) => [path, null]), reason: "" });
    if (outcome.status !== "confirmed") say(`Not acknowledged: ${outcome.status}. ${outcome.reasons.join(". ")}`, "bad");
  } catch (error) {
    say(`Not acknowledged. ${error instanceof ApiError ? error.message : String(error)}`, "bad");
  }
}
