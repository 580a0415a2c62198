/** What people call the browser and the device that call themselves so; `null` where that cannot be told. */
export function browserName(userAgent: string | null | undefined): string | null {
  if (!userAgent) return null;
  // Each of them also claims to be the ones below it.
  const browser = [
    ["Edge", /Edg(e|A|iOS)?\//],
    ["Opera", /OPR\//],
    ["Firefox", /(Firefox|FxiOS)\//],
    ["Chrome", /(Chrome|CriOS|Chromium)\//],
    ["Safari", /Safari\//],
  ].find(([, pattern]) => (pattern as RegExp).test(userAgent))?.[0];
  const system = [
    ["iPhone", /iPhone/],
    ["iPad", /iPad/],
    ["Android", /Android/],
    ["Windows", /Windows/],
    ["Mac", /Mac OS X/],
    ["Linux", /Linux/],
  ].find(([, pattern]) => (pattern as RegExp).test(userAgent))?.[0];
  const known = [browser, system].filter((one) => typeof one === "string");
  return known.length > 0 ? known.join(", ") : null;
}
