//! Who may do what: roles, scopes, and the rule that each route carries.

use brookbox_store::{Role, Scope};
use serde_json::{Value, json};

/// The words for roles in requests.
pub(crate) const ROLES: [(&str, Role); 3] =
    [("viewer", Role::Viewer), ("operator", Role::Operator), ("owner", Role::Owner)];

/// The words for scopes in requests. `admin` includes `operate`, which includes `read`; `metrics` stands alone.
pub(crate) const SCOPES: [(&str, Scope); 4] =
    [("read", Scope::Read), ("operate", Scope::Operate), ("admin", Scope::Admin), ("metrics", Scope::Metrics)];

/// The role that a scope lends, if any.
pub(crate) const fn role_of(scope: Scope) -> Option<Role> {
    match scope {
        Scope::Read => Some(Role::Viewer),
        Scope::Operate => Some(Role::Operator),
        Scope::Admin => Some(Role::Owner),
        Scope::Metrics => None,
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody, also before the claim.
    Open,
    /// Anybody, once the box is claimed.
    Claimed,
    /// A person or token of at least this role.
    Role(Role),
    /// A person of at least this role, signed in by cookie; no token.
    InPerson(Role),
    /// The same, with the password entered in the last ten minutes.
    Fresh(Role),
    /// A person or token of any role, or somebody with a watch link.
    Watch,
    /// Scope `metrics`, or a program on the box itself.
    Metrics,
}

impl Access {
    /// As `x-brookbox-access` in the OpenAPI document.
    pub(crate) fn describe(self) -> Value {
        let (role, scope, in_person, password, before_claim) = match self {
            Self::Open => (None, None, false, false, true),
            Self::Claimed => (None, None, false, false, false),
            Self::Role(role) => (Some(role), Some(scope_for(role)), false, false, false),
            Self::InPerson(role) => (Some(role), None, true, false, false),
            Self::Fresh(role) => (Some(role), None, true, true, false),
            Self::Watch => (Some(Role::Viewer), Some(Scope::Read), false, false, false),
            Self::Metrics => (None, Some(Scope::Metrics), false, false, true),
        };
        json!({
            "role": role,
            "scope": scope,
            "inPersonOnly": in_person,
            "recentPassword": password,
            "beforeClaim": before_claim,
            "watchLink": self == Self::Watch,
            "fromLoopback": self == Self::Metrics,
        })
    }

    /// Whether somebody has to be signed in.
    pub(crate) fn needs_caller(self) -> bool {
        !matches!(self, Self::Open | Self::Claimed)
    }
}

/// The least scope that lends a role.
const fn scope_for(role: Role) -> Scope {
    match role {
        Role::Viewer => Scope::Read,
        Role::Operator => Scope::Operate,
        Role::Owner => Scope::Admin,
    }
}
