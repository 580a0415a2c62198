import { mount } from "svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import { tongue } from "./state/language.svelte";

// Whoever only watches gets none of the rest: not the code, not the questions to the box. Two functions, since a bundler
// would fetch ahead for both where they stand in one expression.
const watch = () => import("./screens/Watch.svelte");
const app = () => import("./App.svelte");
const watching = location.pathname.startsWith("/watch/");
const [{ default: Page }] = await Promise.all([watching ? watch() : app(), tongue.arrive()]);
mount(Page, { target: document.getElementById("app")! });
