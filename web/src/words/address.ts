/** What OBS and others call the server: where to publish, without the key. */
export function publishAddress(host: string, port: number | null): string {
  return `rtmp://${host}${port === null || port === 1935 ? "" : `:${port}`}/live`;
}

/** `…7Q2x` as dots and the end. */
export function maskedKey(hint: string | null | undefined): string {
  return `••••${(hint ?? "").replace(/^[….•]+/, "")}`;
}

export interface AddressAndKey {
  url: string;
  key: string;
}

/**
 * Sorts what was typed or pasted: spaces around go, swapped fields are swapped back, and a whole address with its key
 * that was pasted as the key is taken apart. Says nothing of whether the result is right.
 */
export function tidy({ url, key }: AddressAndKey): AddressAndKey {
  url = url.trim();
  key = key.trim();
  if (isUrl(key) && !isUrl(url)) {
    if (url !== "") return { url: key, key: url };
    const cut = key.lastIndexOf("/");
    // `rtmp://host/app/key`: anything shorter has no key at its end.
    if (key.split("/").length > 4 && cut < key.length - 1) return { url: key.slice(0, cut), key: key.slice(cut + 1) };
    return { url: key, key: "" };
  }
  if (isUrl(key) && key.startsWith(url)) {
    const rest = key.slice(url.length).replace(/^\/+/, "");
    if (rest !== "") return { url, key: rest };
  }
  return { url, key };
}

function isUrl(text: string): boolean {
  return /^rtmps?:\/\//i.test(text);
}

/** The address of a peer without its port. */
export function host(peer: string): string {
  return peer.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/** How a key looks while it is typed; nothing is said of whether the platform takes it. */
export function keyLook(key: string): "empty" | "spaces" | "short" | "good" {
  const text = key.trim();
  if (text === "") return "empty";
  if (/\s/.test(text) || isUrl(text)) return "spaces";
  return text.length < 8 ? "short" : "good";
}
