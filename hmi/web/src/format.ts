// Values, qualities and times as an operator reads them. Pure functions.
import type { Alarm, Tag, Value } from "./model";
import { ACTIVE, DISABLED, ONE_SHOT, OUT_OF_SERVICE, SHELVED, SUPPRESSED, UNACKNOWLEDGED, UNCONFIRMED } from "./model";

export const NONE = "–";

/** A value as text: state text, On/Off, or a number with the tag's decimals and unit. */
export function valueText(tag: Tag | undefined, value: Value, options: { unit?: boolean; decimals?: number } = {}): string {
  if (value === null || value === undefined) return NONE;
  const state = tag?.states[String(Number(value))];
  if (typeof value !== "string" && state !== undefined) return state;
  if (typeof value === "boolean") return value ? "On" : "Off";
  if (tag?.kind === "alarm" && typeof value === "number") return alarmState(value);
  if (typeof value === "string") return value;
  const whole = tag ? tag.type.startsWith("int") || tag.type.startsWith("uint") : Number.isInteger(value);
  const decimals = options.decimals ?? (tag ? (whole && !tag.unit ? 0 : tag.decimals) : 2);
  const text = numberText(value, decimals);
  return options.unit === false || !tag?.unit ? text : `${text} ${unitText(tag.unit)}`;
}

export function numberText(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

const UNITS: Record<string, string> = { degC: "°C", degF: "°F", m3: "m³", "m3/h": "m³/h", "m/s2": "m/s²", deg: "°" };
export function unitText(unit: string): string {
  return UNITS[unit] ?? unit;
}

export type Quality = "good" | "forced" | "uncertain" | "stale" | "bad";
const STALE = new Set([0x8031_0000, 0x4090_0000, 0x8032_0000, 0x808a_0000]);

/** Sorts an OPC UA status code into what the screen tells apart. Stale: no contact, the number is an old one. */
export function quality(status: number): Quality {
  const code = (status & 0xffff_0000) >>> 0;
  if (code === 0x0096_0000) return "forced";
  if (STALE.has(code)) return "stale";
  const severity = status >>> 30;
  return severity === 0 ? "good" : severity === 1 ? "uncertain" : "bad";
}

const NAMES: Record<number, string> = {
  0x0000_0000: "Good",
  0x0096_0000: "Good, forced by hand",
  0x4000_0000: "Uncertain",
  0x4090_0000: "Uncertain, last usable value",
  0x4091_0000: "Uncertain, substitute value",
  0x4092_0000: "Uncertain, initial value",
  0x4094_0000: "Uncertain, out of engineering range",
  0x8000_0000: "Bad",
  0x8031_0000: "Bad, no communication",
  0x8032_0000: "Bad, waiting for first value",
  0x808a_0000: "Bad, not connected",
  0x808b_0000: "Bad, device failure",
  0x808c_0000: "Bad, sensor failure",
  0x808d_0000: "Bad, out of service",
  0x8089_0000: "Bad, configuration error",
  0x803c_0000: "Bad, out of range",
  0x8002_0000: "Bad, internal error",
};
export function qualityText(status: number): string {
  const code = (status & 0xffff_0000) >>> 0;
  return NAMES[code] ?? `${["Good", "Uncertain", "Bad", "Bad"][status >>> 30]} 0x${(status >>> 0).toString(16).padStart(8, "0")}`;
}

/** One letter that goes with each quality: never colour alone. */
export const QUALITY_MARK: Record<Quality, string> = { good: "", forced: "F", uncertain: "?", stale: "✕", bad: "✕" };

export function ageText(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return NONE;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

let zone: string | undefined;
let formats: { time: Intl.DateTimeFormat; full: Intl.DateTimeFormat; day: Intl.DateTimeFormat } | null = null;
export function setTimezone(name: string): void {
  zone = name;
  formats = null;
}
function format() {
  if (!formats) {
    const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone } as const;
    const date = { year: "numeric", month: "2-digit", day: "2-digit", timeZone: zone } as const;
    formats = {
      time: new Intl.DateTimeFormat("sv-SE", clock),
      full: new Intl.DateTimeFormat("sv-SE", { ...date, ...clock }),
      day: new Intl.DateTimeFormat("sv-SE", date),
    };
  }
  return formats;
}
export function timeText(ms: number): string {
  return format().time.format(ms);
}
export function dateTimeText(ms: number): string {
  return format().full.format(ms);
}
/** Time alone for today, with the date for other days. */
export function momentText(ms: number, nowMs: number): string {
  const { day, time, full } = format();
  return day.format(ms) === day.format(nowMs) ? time.format(ms) : full.format(ms);
}

export function alarmState(bits: number): string {
  if (bits & DISABLED) return "Disabled";
  if (bits & OUT_OF_SERVICE) return "Out of service";
  if (bits & SHELVED) return bits & ONE_SHOT ? "Shelved until normal" : "Shelved";
  if (bits & SUPPRESSED) return "Suppressed";
  if (bits & UNCONFIRMED) return bits & ACTIVE ? "Active, to be confirmed" : "Returned, to be confirmed";
  if (bits & ACTIVE) return bits & UNACKNOWLEDGED ? "Active, unacknowledged" : "Active, acknowledged";
  return bits & UNACKNOWLEDGED ? "Returned, unacknowledged" : "Normal";
}

export const RANK = { critical: 1, high: 2, medium: 3, low: 4 } as const;

/** Unacknowledged first, then by priority, then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  const unacknowledged = (b.bits & UNACKNOWLEDGED) - (a.bits & UNACKNOWLEDGED);
  return unacknowledged || RANK[a.priority] - RANK[b.priority] || b.since_ms - a.since_ms;
}

/** The point of a path: `LIC-101/SP` of `tank1/LIC-101/SP`. */
export function shortPath(path: string): string {
  const cut = path.indexOf("/");
  return cut < 0 ? path : path.slice(cut + 1);
}
