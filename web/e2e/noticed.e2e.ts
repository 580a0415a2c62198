import { expect, test } from "vitest";
import { inspect } from "./browser";
import { evening } from "./evening";

// A picture that stands still and a stream without sound: said at the top, and silent again where somebody says so.

const { stage, eyes } = evening(1, "still");

test("a picture that stands still and silence are headlines, until they are muted", async () => {
  const { page } = eyes;
  await page.goto(stage.address("/"));
  await eyes.says(/^Live on 1$/, 20_000);
  await eyes.says(/^No sound for [\d:]+/, 40_000);
  await page.locator(".why").getByText("It goes out like this to 1 place.").waitFor();
  await page.getByRole("button", { name: "Mute this warning" }).click();
  await eyes.says(/^Live on 1$/);
  await eyes.says(/^The picture has stood still for [\d:]+/, 60_000);
  await inspect(page, "live-frozen");
  const go = (name: string) => page.getByRole("navigation").getByRole("link", { name }).first().click();
  await go("Input");
  await expect.poll(() => page.getByLabel("there is no sound for 20 s").isChecked()).toBe(false);
  await page.getByLabel("the picture stands still for 10 s").uncheck();
  await go("Live");
  await eyes.says(/^Live on 1$/);
  await go("Input");
  await page.getByLabel("there is no sound for 20 s").check();
  await go("Live");
  await eyes.says(/^No sound for/);
}, 150_000);
