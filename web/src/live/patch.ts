export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Applies a JSON merge patch (RFC 7396) and gives the new value. Nothing is changed in place, and what the patch does
 * not touch stays the very same object, so that a view sees at once what is new.
 */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  // Null prototype: `__proto__` from outside is a name like any other.
  const merged: { [key: string]: Json } = Object.assign(Object.create(null), isObject(target) ? target : {});
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
