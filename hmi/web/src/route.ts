// Where the page is: `#/display/water`, `#/alarms`, `#/tags`, `#/system`; `?tag=` opens a tag's panel beside it.

export interface Route {
  page: string;
  name: string;
  tag: string;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/").map(decodeURIComponent);
  return { page: page || "display", name: rest.join("/"), tag: new URLSearchParams(query).get("tag") ?? "" };
}

export function link(route: Partial<Route>): string {
  const full = { ...parse(location.hash), tag: "", ...route };
  const path = [full.page, ...full.name.split("/")].filter(Boolean).map(encodeURIComponent).join("/");
  return `#/${path}${full.tag ? `?tag=${encodeURIComponent(full.tag).replaceAll("%2F", "/")}` : ""}`;
}

export function open(route: Partial<Route>): void {
  location.hash = link(route);
}
