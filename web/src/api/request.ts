import { Problem, Unreachable } from "./problem";
import type { paths } from "./schema";

/** No answer of the API takes long; what does is a job. Only a test of somebody who is told waits for their server. */
const PATIENCE_MS = 20_000;

type Method = "get" | "post" | "patch" | "delete";

/** The paths that know a method. */
export type Path<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, object> ? P : never;
}[keyof paths];

type Operation<M extends Method, P extends keyof paths> = paths[P] extends Record<M, infer Op> ? Op : never;

/** `{ [name]: T }`, or nothing where the document says that there is no such thing. */
type Named<Name extends string, T> = [T] extends [never] ? unknown : { [N in Name]: T };

type Maybe<Name extends string, T> = [T] extends [never] ? unknown : { [N in Name]?: T };

/** What an operation is given: the holes in its path, its query, its body. */
type Given<Op> = (Op extends { parameters: { path: infer Holes } } ? Named<"path", Holes> : unknown) &
  (Op extends { parameters: { query?: infer Query } } ? Maybe<"query", Query> : unknown) &
  (Op extends { requestBody: { content: { "application/json": infer Body } } }
    ? Named<"body", Body>
    : Maybe<"body", OptionalBody<Op>>);

/** The body of an operation that may also go without one. */
type OptionalBody<Op> = Op extends { requestBody?: infer Request }
  ? [NonNullable<Request>] extends [never]
    ? never
    : NonNullable<Request> extends { content: { "application/json": infer Body } }
      ? Body
      : never
  : never;

type Json<Response> = Response extends { content: { "application/json": infer Body } } ? Body : never;

/** What an operation answers; nothing for 204. */
type Answer<Op> = Op extends { responses: infer Responses }
  ? 200 extends keyof Responses
    ? Json<Responses[200]>
    : 201 extends keyof Responses
      ? Json<Responses[201]>
      : void
  : never;

type Args<Op> = keyof Given<Op> extends never ? [] : [given: Given<Op>];

/**
 * Calls one operation of the API, typed by its document.
 *
 * Throws {@link Problem} for an answer that is an error, {@link Unreachable} where none came.
 */
export async function call<M extends Method, P extends Path<M>>(
  method: M,
  path: P,
  ...args: Args<Operation<M, P>>
): Promise<Answer<Operation<M, P>>> {
  const response = await send(method, path, args[0] ?? {});
  return parse(await textOf(response)) as Answer<Operation<M, P>>;
}

/** Calls an operation that answers with a file; gives it with the name that the box gave it. */
export async function fetchFile<P extends Path<"post">>(
  path: P,
  ...args: Args<Operation<"post", P>>
): Promise<{ file: Blob; name: string }> {
  const response = await send("post", path, args[0] ?? {});
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "brookbox";
  try {
    return { file: await response.blob(), name };
  } catch (cause) {
    throw new Unreachable(String(cause), { cause });
  }
}

/** Sends a request and gives the answer if it is a success. */
async function send(
  method: Method,
  path: string,
  given: { path?: Fields; query?: Fields; body?: unknown },
): Promise<Response> {
  const init: RequestInit = {
    method: method.toUpperCase(),
    signal: AbortSignal.timeout(PATIENCE_MS),
    cache: "no-store",
  };
  if (method !== "get") {
    // Also where there is nothing to say: the box takes writes as JSON only, which no form of another page can send.
    init.headers = { "content-type": "application/json" };
    if (method !== "delete") init.body = JSON.stringify(given.body ?? {});
  }
  let response: Response;
  try {
    response = await fetch(address(path, given.path, given.query), init);
  } catch (cause) {
    throw new Unreachable(String(cause), { cause });
  }
  if (!response.ok) {
    throw new Problem(response.status, parse(await textOf(response)), response.headers.get("retry-after"));
  }
  return response;
}

async function textOf(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch (cause) {
    throw new Unreachable(String(cause), { cause });
  }
}

type Fields = Readonly<Record<string, string | number | undefined>>;

/** The address of an operation, its holes and query filled and escaped. */
export function address(path: string, holes: Fields = {}, query: Fields = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(holes[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size > 0 ? `${filled}?${search}` : filled;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
