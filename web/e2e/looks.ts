import type { Page } from "playwright-core";

// What can be seen to be wrong with a screen by measuring it.

/** Text that is cut off or sticks out of its box, each as one line; a field's own text and a wide table may scroll. */
export function cut(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const seen = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = seen.nextNode(); node; node = seen.nextNode()) {
      const text = node.textContent?.trim() ?? "";
      const element = node.parentElement;
      if (text === "" || !element || element.closest("script, style, svg, option, noscript, title, [inert], .scroll"))
        continue;
      const hidden = (one: Element | null): boolean =>
        one !== null && (/inset/.test(getComputedStyle(one).clipPath) || hidden(one.parentElement));
      if (hidden(element) || getComputedStyle(element).visibility === "hidden") continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = element.closest("button, .button, .panel, li, dialog, section, header, main, nav, body")!;
      const frame = box.getBoundingClientRect();
      for (const rect of range.getClientRects()) {
        if (rect.width === 0) continue;
        if (rect.left < -1 || rect.right > innerWidth + 1) found.push(`out of the window: ${text}`);
        else if (rect.left < frame.left - 1 || rect.right > frame.right + 1) found.push(`out of its box: ${text}`);
        else if (rect.bottom > frame.bottom + 2 && box.matches("button, .button")) found.push(`too tall: ${text}`);
      }
      for (let one: Element | null = element; one; one = one.parentElement) {
        const { overflowX, textOverflow } = getComputedStyle(one);
        const clips = overflowX === "hidden" || overflowX === "clip" || textOverflow === "ellipsis";
        if (clips && one.scrollWidth > one.clientWidth + 1) found.push(`cut: ${text}`);
      }
    }
    return [...new Set(found)];
  });
}

/** Makes every text 40 % longer, as another language might. */
export function lengthen(page: Page): Promise<void> {
  return page.evaluate(() => {
    const seen = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const nodes: Text[] = [];
    for (let node = seen.nextNode(); node; node = seen.nextNode()) nodes.push(node as Text);
    for (const node of nodes) {
      const text = node.data.trim();
      // Numbers and addresses do not grow.
      if (!/\p{L}{3}/u.test(text) || /[/@:]\S/.test(text) || node.parentElement?.closest("bdi, script, style"))
        continue;
      node.data += ` ${text.slice(0, Math.ceil(text.length * 0.4))}`;
    }
  });
}

export function sideways(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}
