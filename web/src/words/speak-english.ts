import { speak, speakMore } from "./i18n";

// Before every unit test: the sentences that tests read are English.
await speak("en");
await speakMore();
