// The HTTP side: reads, sign-in and requests. Every refusal becomes an ApiError with the server's words.
import type {
  AlarmEvent, Block, Display, DisplayInfo, History, Intervals, Outcome, Session, Status, TagDetail, TagWithReading, Value,
} from "./model";

export class ApiError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

async function call<T>(path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, body === undefined ? { headers: { accept: "application/json" } } : {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, "The server does not answer.");
  }
  const data: unknown = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const detail = (data as { detail?: unknown }).detail;
    throw new ApiError(answer.status, typeof detail === "string" ? detail : `The server answered ${answer.status}.`);
  }
  return data as T;
}

const encode = (path: string) => path.split("/").map(encodeURIComponent).join("/");

export const session = () => call<Session>("api/session");
export const login = (name: string, password: string) => call<Session>("api/login", { name, password });
export const logout = () => call<Session>("api/logout", {});
export const displays = () => call<{ displays: DisplayInfo[] }>("api/displays");
export const display = (name: string) => call<Display>(`api/displays/${encodeURIComponent(name)}`);
export const blocks = () => call<{ blocks: Block[] }>("api/blocks");
export const tag = (path: string) => call<TagDetail>(`api/tags/${encode(path)}`);
export const status = () => call<Status>("api/status");
export const tags = (search: string, kind: string, limit: number) =>
  call<{ tags: TagWithReading[]; total: number }>(
    `api/tags?search=${encodeURIComponent(search)}&kind=${encodeURIComponent(kind)}&limit=${limit}`,
  );
export const history = (path: string, startMs: number, endMs: number, points: number) =>
  call<History>(`api/history/${encode(path)}?start=${Math.round(startMs)}&end=${Math.round(endMs)}&points=${points}`);
export const intervals = (path: string, aggregate: string, startMs: number, endMs: number) =>
  call<Intervals>(`api/intervals/${encode(path)}?aggregate=${aggregate}&start=${Math.round(startMs)}&end=${Math.round(endMs)}&every=${Math.round(endMs - startMs)}`);

export const alarmEvents = (start: string, people: boolean, alarm: string, limit: number) =>
  call<{ events: AlarmEvent[]; more: boolean }>(
    `api/alarms/events?start=${encodeURIComponent(start)}&people=${people}&alarm=${encodeURIComponent(alarm)}&limit=${limit}`,
  );

export interface Ask {
  id: string;
  kind: "write" | "force" | "unforce" | "bypass" | "unbypass" | AlarmKind;
  items: [string, Value][];
  reason: string;
  for_s?: number;
}
export type AlarmKind = "acknowledge" | "confirm" | "comment" | "shelve" | "unshelve" | "suppress" | "unsuppress" | "remove" | "return" | "enable" | "disable";
/** Items that one request takes. */
export const ITEMS_MAX = 64;
export const request = (ask: Ask) => call<Outcome>("api/requests", ask);

/** 32 hex digits; also where crypto.randomUUID is missing (plain http on another host). */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
