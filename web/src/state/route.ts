export type Route =
  | { screen: "live" | "destinations" | "input" | "diagnostics" | "more" | "none" }
  | { screen: "destination"; id: string | null };

/** The screen at a path; a destination's `id` is `null` for a new one. */
export function route(path: string): Route {
  const [first, second, ...rest] = path.split("/").filter(Boolean);
  if (rest.length > 0) return { screen: "none" };
  if (first === "destinations" && second !== undefined) {
    return { screen: "destination", id: second === "new" ? null : decode(second) };
  }
  if (second !== undefined) return { screen: "none" };
  switch (first) {
    case undefined:
      return { screen: "live" };
    case "destinations":
    case "input":
    case "diagnostics":
    case "more":
      return { screen: first };
    default:
      return { screen: "none" };
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
