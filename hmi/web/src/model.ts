// What the server says, as types. The same shapes stand in hmi/models.py.

export type Value = boolean | number | string | null;
export type Priority = "critical" | "high" | "medium" | "low";
export const PRIORITIES: readonly Priority[] = ["critical", "high", "medium", "low"];

export interface Tag {
  path: string;
  type: string;
  kind: string;
  description: string;
  unit: string | null;
  range: [number, number] | null;
  decimals: number;
  states: Record<string, string>;
  scan_s: number;
  device: string | null;
  owner: string | null;
  writable: boolean;
  write_role: string;
  limits: [number, number] | null;
  step: boolean;
  display: string | null;
  command: string | null;
  remote: string | null;
  mode: string | null;
  block: string | null;
  history: boolean;
}

export interface Reading {
  value: Value;
  status: number;
  quality: string;
  source_ms: number;
  age_s: number;
}

export interface TagWithReading extends Tag {
  reading: Reading;
}

export interface LastWrite {
  user: string;
  source: string;
  status: string;
  utc_ms: number;
  value: Value;
  reason: string;
}

export interface Block {
  path: string;
  type: string;
  points: Record<string, string>;
  links: Record<string, string>;
}

export interface Limit {
  path: string;
  kind: string;
  limit: number;
  priority: Priority;
}

export interface TagDetail extends TagWithReading {
  last_write: LastWrite | null;
  blocks: Block[];
  related: Tag[];
  limit_alarms: Limit[];
  alarms: Alarm[];
}

export interface Alarm {
  path: string;
  tag: string;
  bits: number;
  priority: Priority;
  message: string;
  response: string;
  value: Value;
  since_ms: number;
  number: number;
  shelve_max_s: number;
  unshelve_ms: number | null;
  acknowledged: Remark | null;
  comment: Remark | null;
  aside: Remark | null;
}

/** What somebody did with an alarm. */
export interface Remark {
  t_ms: number;
  user: string;
  text: string;
}

export interface AlarmEvent {
  t_ms: number;
  path: string;
  action: string;
  before: number;
  after: number;
  priority: Priority;
  message: string;
  value: Value;
  user: string;
  source: string;
  comment: string;
  until_ms: number | null;
}

export interface Counts {
  unacknowledged: Record<Priority, number>;
  active: Record<Priority, number>;
}

export interface DisplayInfo {
  name: string;
  title: string;
  level: number;
}

export interface Display extends DisplayInfo {
  svg: string;
  tags: Tag[];
  blocks: Block[];
}

export interface Session {
  user: string | null;
  role: string;
  site: string;
  timezone: string;
  build: string;
}

export interface Outcome {
  id: string;
  status: string;
  reasons: string[];
}

export interface RequestEvent extends Outcome {
  t_ms: number;
  request: string;
  user: string;
  source: string;
  reason: string;
  items: [string, Value][];
  old: Value[];
}

export interface History {
  path: string;
  start_ms: number;
  end_ms: number;
  t: number[];
  v: (number | null)[];
  samples: number;
  decimated: boolean;
  truncated: boolean;
}

/** One value for each interval of a range; times are left out here. */
export interface Intervals {
  path: string;
  aggregate: string;
  unit: string | null;
  v: (number | null)[];
  percent_good: number[];
  count: number[];
}

export interface ServiceStatus {
  name: string;
  state: string;
  heartbeat_age_s: number | null;
  memory_mb: number | null;
}

export interface DeviceStatus {
  name: string;
  driver: string;
  connected: boolean | null;
  reason: string;
  outputs: boolean;
  armed: boolean | null;
  simulated: boolean;
  values: Record<string, number | boolean | null>;
}

export interface Force {
  path: string;
  value: Value;
  expires_ms: number | null;
  user: string;
  reason: string;
}

export interface Bypass {
  path: string;
  until_ms: number;
  since_ms: number;
  user: string;
  reason: string;
}

export interface Status {
  site: string;
  version: string;
  epoch: number;
  utc_ms: number;
  tags: number;
  services: ServiceStatus[];
  devices: DeviceStatus[];
  forces: Force[];
  bypasses: Bypass[];
  clients: number;
}

export interface Heartbeat {
  heartbeat: number;
  utc_ms: number;
  alarms: Counts;
  down: string[];
  unarmed: string[];
  forces: number;
  bypasses: number;
  ages?: Record<string, [source_ms: number, age_ms: number]>;
}

/** Alarm state bits (scada.alarms). */
export const ACTIVE = 1;
export const UNACKNOWLEDGED = 2;
export const SUPPRESSED = 4;
export const SHELVED = 8;
export const OUT_OF_SERVICE = 16;
export const UNCONFIRMED = 32;
export const DISABLED = 64;
export const ONE_SHOT = 128;
export const BY_REQUEST = 256;
/** What wants somebody, and what is not for the list of that. */
export const ATTENTION = ACTIVE | UNACKNOWLEDGED | UNCONFIRMED;
export const HIDDEN = SUPPRESSED | SHELVED | OUT_OF_SERVICE | DISABLED;
