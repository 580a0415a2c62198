import { mount } from "svelte";
import App from "./App.svelte";
import "./styles/tokens.css";
import "./styles/base.css";
import { theBox } from "./state/box.svelte";
import { language } from "./words/i18n";

document.documentElement.lang = language;
void theBox.arrive();
mount(App, { target: document.getElementById("app")! });
