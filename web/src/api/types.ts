import type { components } from "./schema";

// The names that the page uses for the shapes of the API. In the live state a field that is `null` may also be missing,
// since a merge patch takes away what it sets to null.

type Schema = components["schemas"];

export type SetupState = Schema["Setup"];
export type SetupRequest = Schema["NewOwner"];
export type Me = Schema["Me"];
export type System = Schema["System"];
export type SystemPatch = Schema["SystemPatch"];

export type User = Schema["UserView"];
export type NewUser = Schema["NewUser"];
export type UserPatch = Schema["UserPatch"];
export type Role = User["role"];
export type SignIn = Schema["SignInView"];
export type Token = Schema["TokenView"];
export type NewToken = Schema["NewToken"];
export type Scope = Token["scopes"][number];

export type Input = Schema["InputView"];
export type Session = Schema["Session"];
export type Refusal = Schema["Refusal"];

export type Profile = Schema["ProfileView"];
export type ProfileRow = Schema["ProfileRow"];
export type Undo = Schema["UndoView"];
export type Listener = Schema["NotificationView"];
export type NewListener = Schema["NewNotification"];
export type ListenerPatch = Schema["NotificationPatch"];
export type Job = Schema["JobView"];
export type InstallDisk = Schema["InstallDisk"];
export type InstallOn = Schema["InstallOn"];
export type Notice = Schema["NoticeView"];
export type LogEntry = Schema["LogEntry"];
export type SupportPart = Schema["SupportPart"];

export type Platform = Schema["Platform"];
export type Destination = Schema["DestinationView"];
export type NewDestination = Schema["NewDestination"];
export type DestinationPatch = Schema["DestinationPatch"];

export type Status = Schema["Status"];
export type InputStatus = Schema["InputStatus"];
export type Track = Schema["Track"];
export type Advice = Schema["Advice"];
export type Machine = Schema["Machine"];
export type DestinationStatus = Schema["DestinationStatus"];

export type BoxEvent = Schema["EventView"];

export type Watch = Schema["Watch"];
export type WatchLink = Schema["WatchLinkView"];
export type NewWatchLink = Schema["NewWatchLink"];
export type MadeWatchLink = Schema["MadeWatchLink"];

export type ObsDone = Schema["ObsDone"];
export type Figures = Schema["FiguresView"];
export type Broadcast = Schema["BroadcastView"];
