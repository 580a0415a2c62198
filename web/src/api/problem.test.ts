import { describe, expect, test } from "vitest";
import { Cancelled, complain, explain, noComplaint, Problem, Unreachable } from "./problem";

const invalid = new Problem(
  422,
  {
    code: "invalid",
    title: "Some fields are not right.",
    errors: [
      { field: "url", code: "scheme", message: "Begin with `rtmp://` or `rtmps://`." },
      { field: "url", code: "second", message: "Only the first is shown." },
      { field: "limits.sessions", code: "out_of_range", message: "Give a whole number from 1 to 64." },
    ],
  },
  null,
);

describe("complain", () => {
  test("a field's sentence stands at its field, the rest below", () => {
    expect(complain(invalid, ["url", "key"])).toEqual({
      fields: { url: "Begin the address with rtmp:// or rtmps://." },
      sentence: "Give a whole number from 1 to 64.",
    });
  });

  test("where all stand at their fields, the form says to look there", () => {
    expect(complain(invalid, ["url", "limits.sessions"]).sentence).toMatch(/marked fields/);
  });

  test("a closed dialog is no complaint", () => {
    expect(complain(new Cancelled())).toBe(noComplaint);
  });
});

describe("explain", () => {
  test("the box's own sentence, the particular before the general", () => {
    expect(explain(new Problem(409, { title: "General.", detail: "Particular." }, null))).toBe("Particular.");
    expect(explain(new Problem(409, { title: "General." }, null))).toBe("General.");
  });

  test("how long to wait", () => {
    expect(explain(new Problem(429, { code: "too_many_attempts" }, "8"))).toBe("Too many tries. Wait 8 seconds.");
    expect(explain(new Problem(429, null, "Wed, 21 Oct"))).toBe("Too many tries. Wait 1 second.");
  });

  test("an answer without a body is named by its number", () => {
    expect(explain(new Problem(502, null, null))).toMatch(/http_502/);
    expect(explain(new Unreachable())).toMatch(/^Can’t reach the box/);
  });

  test("a fault of the page itself is not put into words", () => {
    expect(() => explain(new TypeError("x is undefined"))).toThrow(TypeError);
  });
});

test("a body of another shape makes no fields", () => {
  for (const body of [null, "x", [], { errors: "x" }, { errors: [null, 1, { field: 1 }] }]) {
    expect(new Problem(422, body, null).fields).toEqual([]);
  }
});
