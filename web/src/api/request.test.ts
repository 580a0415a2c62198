import { afterEach, describe, expect, test, vi } from "vitest";
import { box } from "./client";
import { Problem, Unreachable } from "./problem";
import { address, call } from "./request";

afterEach(() => vi.unstubAllGlobals());

/** Answers every request alike and notes it. */
function answer(status: number, body: string, headers: Record<string, string> = {}) {
  const fetch = vi.fn(
    async (_url: string, _init: RequestInit) => new Response(status === 204 ? null : body, { status, headers }),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

describe("address", () => {
  test("what is filled in cannot leave its place", () => {
    expect(address("/a/{id}/b", { id: "../x?y#z" })).toBe("/a/..%2Fx%3Fy%23z/b");
    expect(address("/a", {}, { limit: 4, before: undefined })).toBe("/a?limit=4");
  });
});

describe("call", () => {
  test("a write is JSON, also without anything to say", async () => {
    const fetch = answer(200, "{}");
    await box.switchDestination("d1", false);
    const [url, init] = fetch.mock.calls[0]!;
    expect(url).toBe("/api/v1/destinations/d1/off");
    expect(init).toMatchObject({ method: "POST", body: "{}", headers: { "content-type": "application/json" } });
  });

  test("an error is a problem with its code and waiting time", async () => {
    answer(429, '{"code":"too_many_attempts","title":"Too many."}', { "retry-after": "8" });
    const error = await box.signIn("mara", "x").catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({ status: 429, code: "too_many_attempts", retryAfterS: 8 });
  });

  test("no answer is no problem of the box's", async () => {
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("Failed to fetch");
    });
    await expect(box.me()).rejects.toBeInstanceOf(Unreachable);
  });

  test("nothing comes back from a deletion", async () => {
    answer(204, "");
    expect(await box.deleteDestination("d1")).toBeNull();
  });

  test("the types refuse what the document does not know", () => {
    const never = () => {
      // @ts-expect-error no such path
      void call("get", "/api/v1/nothing");
      // @ts-expect-error not by this method
      void call("delete", "/api/v1/events");
      // @ts-expect-error the path has a hole
      void call("get", "/api/v1/inputs/{id}");
      // @ts-expect-error no such field
      void box.editDestination("d1", { colour: "green" });
    };
    expect(never).toBeTypeOf("function");
  });
});
