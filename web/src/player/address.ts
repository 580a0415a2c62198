/** Where an input's picture is streamed from, over a WebSocket so that it costs the page none of its few connections. */
export function playAddress(input: string): string {
  const url = new URL(`/play/${encodeURIComponent(input)}.flv`, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
