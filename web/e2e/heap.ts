import type { Page } from "playwright-core";

/** What a page's script holds after it has settled, and again after a while, MB. */
export async function growth(page: Page, settleMs: number, waitMs: number): Promise<{ before: number; after: number }> {
  const devtools = await page.context().newCDPSession(page);
  const heap = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    const { usedSize } = await devtools.send("Runtime.getHeapUsage");
    return usedSize / 1024 / 1024;
  };
  await page.waitForTimeout(settleMs);
  const before = await heap();
  await page.waitForTimeout(waitMs);
  return { before, after: await heap() };
}
