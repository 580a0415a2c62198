import { mount } from "svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import { tongue } from "./state/language.svelte";

// Whoever only watches gets none of the rest: not the code, not the questions to the box.
const watching = location.pathname.startsWith("/watch/");
const [{ default: Page }] = await Promise.all([
  watching ? import("./screens/Watch.svelte") : import("./App.svelte"),
  tongue.arrive(),
]);
mount(Page, { target: document.getElementById("app")! });
