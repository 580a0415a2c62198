/** The screens that are there whatever their path goes on with. */
const PLAIN = [
  "destinations",
  "input",
  "encoders",
  "recordings",
  "diagnostics",
  "profiles",
  "tell",
  "system",
  "people",
  "help",
  "about",
  "more",
] as const;

/** Lists whose items have addresses of their own. */
const ITEMS = {
  destinations: "destination",
  people: "person",
  profiles: "profile",
  tell: "listener",
} as const;

type ItemFolder = keyof typeof ITEMS;

export type Plain = (typeof PLAIN)[number];

/** The steps of the set-up after the claim, in their order. */
export const STEPS = ["name", "network", "check", "destination", "obs", "live"] as const;

export type Step = (typeof STEPS)[number];

export type Route =
  | { screen: "live" | Plain | "none" }
  | { screen: "support" }
  | { screen: (typeof ITEMS)[ItemFolder]; id: string | null }
  | { screen: "setup"; step: Step };

/** The screen at a path; the `id` of a destination, person, profile or listener is `null` for a new one. */
export function route(path: string): Route {
  const [first, second, ...rest] = path.split("/").filter(Boolean);
  if (first === undefined) return { screen: "live" };
  if (rest.length > 0) return { screen: "none" };
  if (second !== undefined) {
    if (Object.hasOwn(ITEMS, first)) {
      return { screen: ITEMS[first as ItemFolder], id: second === "new" ? null : decode(second) };
    }
    if (first === "diagnostics" && second === "support") return { screen: "support" };
    const step = STEPS.find((one) => one === second);
    if (first === "setup" && step) return { screen: "setup", step };
    return { screen: "none" };
  }
  const plain = PLAIN.find((one) => one === first);
  return { screen: plain ?? "none" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
