export type ThemeChoice = "system" | "light" | "dark";

const KEY = "theme";

/** Light, dark or as the system; kept in this browser. `public/theme.js` sets it before the first paint. */
class Theme {
  choice: ThemeChoice = $state(stored());

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    if (choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = choice;
    try {
      if (choice === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, choice);
    } catch {
      // No storage: it holds until the page is loaded again.
    }
  }
}

function stored(): ThemeChoice {
  const set = document.documentElement.dataset["theme"];
  return set === "light" || set === "dark" ? set : "system";
}

export const theme = new Theme();
