import type { Role, Scope } from "../api/types";
import { t } from "../words/i18n";

/** From the least to the most. */
export const ROLES = ["viewer", "operator", "owner"] as const satisfies readonly Role[];
export const SCOPES = ["read", "operate", "admin", "metrics"] as const satisfies readonly Scope[];

export function roleNames(): Record<Role, string> {
  return { owner: t("role.owner"), operator: t("role.operator"), viewer: t("role.viewer") };
}

/** What a role may do, in a sentence. */
export function roleWords(): Record<Role, string> {
  return { owner: t("role.ownerMay"), operator: t("role.operatorMay"), viewer: t("role.viewerMay") };
}

export function scopeNames(): Record<Scope, string> {
  return {
    read: t("scope.read"),
    operate: t("scope.operate"),
    admin: t("scope.admin"),
    metrics: t("scope.metrics"),
  };
}
