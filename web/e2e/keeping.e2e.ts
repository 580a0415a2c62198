import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { inspect } from "./browser";
import { evening } from "./evening";

// What the box keeps and tells: profiles, and messages to somebody.

const FILE_PASSWORD = "a password for the file";
const { stage, eyes } = evening(2);

test("a profile is saved, compared, switched to and undone; who stays as is loses no frame", async () => {
  const { page, dialog } = eyes;
  await page.goto(stage.address("/profiles"));
  await eyes.says(/^No profile is saved yet/);
  await page.getByLabel("Name", { exact: true }).fill("Sunday");
  await eyes.button("Save profile").click();
  await eyes.says(/^1 profile is saved/);
  await page.getByText("The box is set like this now.").waitFor();
  const places = await stage.box.api<{ id: string; name: string }[]>("GET", "/destinations");
  const id = (name: string) => places.find((one) => one.name === name)!.id;
  await stage.box.api("POST", `/destinations/${id("Trovo")}/off`);
  await page.getByText("1 row differs from now.").waitFor();
  await inspect(page, "profiles");
  const stays = async () =>
    (
      await stage.box.api<{ destinations: Record<string, { since: string; framesDropped: number; state: string }> }>(
        "GET",
        "/status",
      )
    ).destinations[id("Twitch")]!;
  const before = await stays();
  await page.getByRole("link", { name: "Switch to Sunday" }).click();
  await dialog.getByText("Switch: off → on").waitFor();
  await dialog.getByText("1 row stays as it is.").waitFor();
  await inspect(page, "profile-compare");
  await eyes.button("Switch 1 row").click();
  await dialog.getByText("Done", { exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  expect(await stays()).toMatchObject({ since: before.since, framesDropped: before.framesDropped, state: "live" });
  await page.getByText(/^Switched to Sunday at/).waitFor();
  await eyes.button("Undo").click();
  await page.getByText("1 row differs from now.").waitFor();
});

test("a profile goes into a file and comes back, with the right password only", async () => {
  const { page, dialog } = eyes;
  await eyes.button("Export Sunday").click();
  await dialog.getByLabel("Password of the file").fill(FILE_PASSWORD);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    dialog.getByRole("button", { name: "Export" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/Sunday.*\.profile$/);
  const file = await download.path();
  for (const secret of stage.secrets) expect(readFileSync(file).includes(secret)).toBe(false);
  await eyes.button("Delete Sunday").click();
  await page.getByText(/^Sunday was deleted at/).waitFor();
  await page.getByText("Import a file").first().click();
  await page.getByLabel("File", { exact: true }).setInputFiles(file);
  await page.getByLabel("Password of the file").fill("not this password");
  await eyes.button("Import a file").click();
  await page.getByText("This is not the password of the file.").waitFor();
  await inspect(page, "profile-import");
  await page.getByLabel("Password of the file").fill(FILE_PASSWORD);
  await eyes.button("Import a file").click();
  await page.getByText("Sunday is in the list.").waitFor();
  await eyes.says(/^1 profile is saved/);
});

test("somebody is told, and a test says what their server said", async () => {
  const { page, dialog } = eyes;
  const heard: string[] = [];
  let answer = 200;
  const server = createServer((request, response) => {
    request.on("data", (data: Buffer) => heard.push(data.toString()));
    request.on("end", () => response.writeHead(answer).end(answer === 200 ? "ok" : "no such channel"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await page.goto(stage.address("/tell"));
    await eyes.says(/^Nobody is told yet/);
    await page.getByRole("link", { name: "Tell somebody" }).click();
    await dialog.getByLabel("By").selectOption("webhook");
    await dialog
      .getByLabel("Address", { exact: true })
      .fill(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`);
    await dialog.getByLabel("Name", { exact: true }).fill("The choir");
    await dialog.getByText("More settings").click();
    await dialog.getByLabel("This server is in my own network").check();
    await inspect(page, "tell-new");
    await dialog.getByRole("button", { name: "Save" }).click();
    await eyes.says(/^1 is told/);
    await eyes.button("Send a test to The choir").click();
    await page.getByText("The choir took it.").waitFor();
    expect(heard).not.toEqual([]);
    for (const secret of stage.secrets) expect(heard.join("").includes(secret)).toBe(false);
    answer = 404;
    await eyes.button("Send a test to The choir").click();
    await page.getByText(/answered 404/).waitFor();
    await inspect(page, "tell");
    const sound = page.getByRole("group", { name: "Play a sound when" }).getByLabel("a place needs you");
    await sound.check();
    await page.reload();
    await expect.poll(() => sound.isChecked()).toBe(true);
    await sound.uncheck();
    await page.getByRole("link", { name: "The choir" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await eyes.says(/^Nobody is told yet/);
  } finally {
    server.close();
  }
});
