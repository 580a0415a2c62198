import { expect, test } from "vitest";
import { route } from "./route";

test.each([
  ["/", { screen: "live" }],
  ["/input", { screen: "input" }],
  ["/input/", { screen: "input" }],
  ["/destinations", { screen: "destinations" }],
  ["/destinations/new", { screen: "destination", id: null }],
  ["/destinations/a%2Fb", { screen: "destination", id: "a/b" }],
  ["/destinations/%", { screen: "destination", id: "%" }],
  ["/profiles/new", { screen: "profile", id: null }],
  ["/tell/7", { screen: "listener", id: "7" }],
  ["/diagnostics/support", { screen: "support" }],
  ["/diagnostics/x", { screen: "none" }],
  ["/constructor/x", { screen: "none" }],
  ["/destinations/a/b", { screen: "none" }],
  ["/input/x", { screen: "none" }],
  ["/nothing", { screen: "none" }],
])("%s", (path, wanted) => expect(route(path)).toEqual(wanted));
