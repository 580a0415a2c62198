import { theBox } from "../state/box.svelte";
import type { Route } from "../state/route";
import type { IconName } from "../ui/icons";
import { t } from "../words/i18n";

export interface Spot {
  screen: Route["screen"];
  path: string;
  icon: IconName;
  label: string;
}

/** The screens that the rail leads to, for whoever is signed in. */
export function spots(): Spot[] {
  return [
    { screen: "live", path: "/", icon: "live", label: t("nav.live") },
    { screen: "destinations", path: "/destinations", icon: "send", label: t("nav.destinations") },
    { screen: "input", path: "/input", icon: "input", label: t("nav.input") },
    { screen: "encoders", path: "/encoders", icon: "encoders", label: t("nav.encoders") },
    { screen: "recordings", path: "/recordings", icon: "recordings", label: t("nav.recordings") },
    { screen: "diagnostics", path: "/diagnostics", icon: "events", label: t("nav.diagnostics") },
    ...(theBox.isOwner
      ? ([
          { screen: "system", path: "/system", icon: "system", label: t("nav.system") },
          { screen: "people", path: "/people", icon: "people", label: t("nav.people") },
        ] as const)
      : []),
  ];
}

/** The screens of a phone's tab bar; all others are behind *More*. */
export const TABS: readonly Route["screen"][] = ["live", "destinations", "input"];

/** The rail's screen that another one belongs to. */
export function sectionOf(here: Route): Route["screen"] {
  const belongs: Partial<Record<Route["screen"], Route["screen"]>> = {
    destination: "destinations",
    profiles: "destinations",
    profile: "destinations",
    person: "people",
    tell: "system",
    listener: "system",
    support: "diagnostics",
  };
  return belongs[here.screen] ?? here.screen;
}

/** What the tab of the browser says of where one is. */
export function pageOf(here: Route): string {
  if (here.screen === "profiles" || here.screen === "profile") return t("profiles.nav");
  const section = sectionOf(here);
  const names: Partial<Record<Route["screen"], string>> = {
    more: t("nav.more"),
    help: t("nav.help"),
    about: t("nav.about"),
    setup: t("setup.page"),
  };
  return spots().find((one) => one.screen === section)?.label ?? names[section] ?? t("app.name");
}
