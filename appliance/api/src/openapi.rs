//! The OpenAPI 3.1 document, made from the table of routes and the types that requests and answers have.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use brookbox_store::{JobState, Role, Scope, Severity, StartMode, TellBy};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

use crate::access::Access;
use crate::problem::{Code, MEDIA_TYPE, Problem};
use crate::resources::status::Status;
use crate::routes::{Route, table};
use crate::{body, codes, lookout, vitals};

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// The document, made once.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The OpenAPI 3.1 document as JSON.
#[must_use]
pub fn openapi() -> String {
    serde_json::to_string_pretty(&*DOCUMENT).unwrap_or_default()
}

/// What a route is for, takes and gives.
pub(crate) struct Doc {
    summary: &'static str,
    /// Largest body, in bytes.
    pub(crate) body_bytes: usize,
    description: Option<&'static str>,
    query: Vec<(&'static str, &'static str, bool)>,
    takes: Option<Takes>,
    gives: Gives,
    problems: Vec<Code>,
    /// Notes the schemas that are named.
    schemas: Vec<fn(&mut Schemas)>,
}

struct Takes {
    schema: String,
    required: bool,
    patch: bool,
}

enum Gives {
    Nothing,
    One(u16, String),
    List(String),
    Text(u16),
    /// Bytes of this media type.
    Media(&'static str),
    Any(u16),
    Upgrade,
}

impl Doc {
    pub(crate) fn new(summary: &'static str) -> Self {
        Self {
            summary,
            body_bytes: body::JSON_BYTES,
            description: None,
            query: Vec::new(),
            takes: None,
            gives: Gives::Nothing,
            problems: Vec::new(),
            schemas: Vec::new(),
        }
    }

    /// A larger body than usual.
    pub(crate) fn up_to(mut self, bytes: usize) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// More than the summary.
    pub(crate) fn says(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// A number behind the `?`, which may be left out.
    pub(crate) fn query(mut self, name: &'static str, description: &'static str) -> Self {
        self.query.push((name, description, true));
        self
    }

    /// The same, with a text for its value.
    pub(crate) fn query_text(mut self, name: &'static str, description: &'static str) -> Self {
        self.query.push((name, description, false));
        self
    }

    /// A JSON body.
    pub(crate) fn takes<T: ToSchema>(mut self) -> Self {
        self.schemas.push(add_request::<T>);
        self.takes = Some(Takes { schema: T::name().into_owned(), required: true, patch: false });
        self.problems.push(Code::Invalid);
        self
    }

    /// A JSON body that may be left out.
    pub(crate) fn takes_optional<T: ToSchema>(mut self) -> Self {
        self = self.takes::<T>();
        if let Some(takes) = &mut self.takes {
            takes.required = false;
        }
        self
    }

    /// A JSON merge patch on these fields, each of which may be left out.
    pub(crate) fn patches<T: ToSchema>(mut self) -> Self {
        self.schemas.push(add_patch::<T>);
        self.takes = Some(Takes { schema: patch_name::<T>(), required: true, patch: true });
        self.problems.push(Code::Invalid);
        self
    }

    pub(crate) fn gives<T: ToSchema>(mut self, status: u16) -> Self {
        self.schemas.push(add_answer::<T>);
        self.gives = Gives::One(status, T::name().into_owned());
        self
    }

    pub(crate) fn lists<T: ToSchema>(mut self) -> Self {
        self.schemas.push(add_answer::<T>);
        self.gives = Gives::List(T::name().into_owned());
        self
    }

    pub(crate) fn gives_nothing(mut self) -> Self {
        self.gives = Gives::Nothing;
        self
    }

    pub(crate) fn gives_text(mut self, status: u16) -> Self {
        self.gives = Gives::Text(status);
        self
    }

    pub(crate) fn gives_any(mut self, status: u16) -> Self {
        self.gives = Gives::Any(status);
        self
    }

    /// Bytes of a media type.
    pub(crate) fn gives_media(mut self, media_type: &'static str) -> Self {
        self.gives = Gives::Media(media_type);
        self
    }

    pub(crate) fn upgrades(mut self) -> Self {
        self.gives = Gives::Upgrade;
        self
    }

    /// Further problems that it may answer with.
    pub(crate) fn or(mut self, problems: &[Code]) -> Self {
        self.problems.extend(problems);
        self
    }
}

fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for route in table() {
        for add in &route.doc.schemas {
            add(&mut schemas);
        }
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.as_str().to_lowercase(), operation(&route));
        }
    }
    add::<Problem>(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Brookbox",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
            "description": DESCRIPTION,
        },
        "servers": [{"url": "/", "description": "The box itself"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "cookie": {
                    "type": "apiKey", "in": "cookie", "name": "brookbox",
                    "description": "A sign-in from POST /login. Over https the cookie is called __Host-brookbox.",
                },
                "watchLink": {
                    "type": "apiKey", "in": "cookie", "name": "brookbox-watch",
                    "description": "A watch link, from POST /play/watch. Over https the cookie is called __Secure-brookbox-watch.",
                },
                "token": {"type": "http", "scheme": "bearer", "description": "An API token from POST /tokens."},
            },
        },
    })
}

const DESCRIPTION: &str = "\
A box that takes one live stream and sends it to many places.

Errors are `application/problem+json` (RFC 9457) with a stable `code`; each answer lists the codes it may hold in \
`x-problem-codes`. Any request may also be answered with 400 `bad_request` or `token_in_url`, 408 `request_timeout`, 413 \
`too_large`, 414 `uri_too_long`, 421 without content (the Host header names none of the box's names), 431 \
`headers_too_large`, 500 `internal`, 503 `busy` or 507 `storage_full`.

A write needs `Origin` of the box's own page or a token, and `Content-Type: application/json` if it has a body. `PATCH` takes \
a JSON merge patch (RFC 7396).

`x-brookbox-access` says for each operation who may: the least `role` of a person, the least `scope` of a token (`null`: no \
token may), whether the password has to have been entered in the last ten minutes (`recentPassword`), whether a watch link is enough (`watchLink`), whether \
it works before the box is claimed (`beforeClaim`) and without a sign-in for programs on the box itself (`fromLoopback`).";

fn operation(route: &Route) -> Value {
    let Route { method, path, access, doc, .. } = route;
    let mut operation = json!({
        "operationId": operation_id(method.as_str(), path),
        "summary": doc.summary,
        "tags": [tag(path)],
        "responses": responses(*access, path, method.as_str(), doc),
        "security": security(*access),
        "x-brookbox-access": access.describe(),
    });
    let parameters = parameters(path, doc);
    if let Some(operation) = operation.as_object_mut() {
        if let Some(description) = doc.description {
            operation.insert("description".into(), description.into());
        }
        if !parameters.is_empty() {
            operation.insert("parameters".into(), parameters.into());
        }
        if let Some(takes) = &doc.takes {
            operation.insert("requestBody".into(), request_body(takes));
        }
    }
    operation
}

/// `/api/v1/inputs/{id}/rotate-key` under POST: `postInputsIdRotateKey`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/v1").split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut id = method.to_lowercase();
    for word in words.filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_uppercase());
        id.push_str(rest);
    }
    id
}

fn tag(path: &str) -> &str {
    let rest = path.strip_prefix("/api/v1/").unwrap_or("health");
    rest.split(['/', '.']).next().unwrap_or(rest)
}

fn security(access: Access) -> Value {
    match access {
        Access::Open | Access::Claimed => json!([]),
        Access::Role(_) => json!([{"cookie": []}, {"token": []}]),
        Access::Watch => json!([{"cookie": []}, {"token": []}, {"watchLink": []}]),
        Access::InPerson(_) | Access::Fresh(_) => json!([{"cookie": []}]),
        Access::Metrics => json!([{}, {"token": []}]),
    }
}

fn parameters(path: &str, doc: &Doc) -> Vec<Value> {
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.split_once('}').map(|(name, _)| name));
    let in_path = in_path.map(|name| {
        let description = match (name, path.contains("/outputs/")) {
            ("id", true) => "An id from the list; its slash may be written as %2F.",
            ("address", _) => "An IPv4 or IPv6 address without a port.",
            _ => "An id from the list.",
        };
        json!({"name": name, "in": "path", "required": true, "description": description, "schema": {"type": "string"}})
    });
    let in_query = doc.query.iter().map(|(name, description, is_number)| {
        let schema = match is_number {
            true => json!({"type": "integer", "format": "int64", "minimum": 0}),
            false => json!({"type": "string"}),
        };
        json!({"name": name, "in": "query", "required": false, "description": description, "schema": schema})
    });
    in_path.chain(in_query).collect()
}

fn request_body(takes: &Takes) -> Value {
    let content = json!({"schema": reference(&takes.schema)});
    let mut types = json!({"application/json": content});
    if let (true, Some(types)) = (takes.patch, types.as_object_mut()) {
        types.insert("application/merge-patch+json".into(), content);
    }
    json!({"required": takes.required, "content": types})
}

fn responses(access: Access, path: &str, method: &str, doc: &Doc) -> Value {
    let mut responses = Map::new();
    let content = |schema: Value| json!({"application/json": {"schema": schema}});
    let (status, answer) = match &doc.gives {
        Gives::Nothing => (204, json!({"description": "Done"})),
        Gives::One(status, name) => (*status, json!({"description": name, "content": content(reference(name))})),
        Gives::List(name) => {
            let schema = json!({"type": "array", "items": reference(name)});
            (200, json!({"description": format!("A list of {name}"), "content": content(schema)}))
        }
        Gives::Text(status) => {
            let schema = json!({"schema": {"type": "string"}});
            (*status, json!({"description": "Text", "content": {"application/openmetrics-text": schema}}))
        }
        Gives::Media(media_type) => {
            let schema = json!({"schema": {"type": "string", "contentMediaType": media_type}});
            (200, json!({"description": "Media", "content": {*media_type: schema}}))
        }
        Gives::Any(status) => (*status, json!({"description": "JSON", "content": content(json!({"type": "object"}))})),
        Gives::Upgrade => (101, json!({"description": "The socket is open"})),
    };
    responses.insert(status.to_string(), answer);
    let mut by_status = BTreeMap::<u16, Vec<Code>>::new();
    for code in codes(access, path, method, doc) {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    for (status, mut codes) in by_status {
        codes.sort();
        codes.dedup();
        let words: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.title())).collect();
        let answer = json!({
            "description": words.join(" "),
            "content": {MEDIA_TYPE: {"schema": reference("Problem")}},
            "x-problem-codes": codes,
        });
        responses.insert(status.to_string(), answer);
    }
    Value::Object(responses)
}

/// The problems that an operation may answer with, apart from those that any may.
fn codes(access: Access, path: &str, method: &str, doc: &Doc) -> Vec<Code> {
    let mut codes = doc.problems.clone();
    if method != "GET" {
        codes.extend([Code::BadOrigin, Code::UnsupportedMediaType]);
    }
    if doc.takes.is_some() {
        codes.extend([Code::BadJson, Code::TooLarge]);
    }
    if path.contains('{') {
        codes.push(Code::NotFound);
    }
    if method != "GET"
        && ["inputs", "destinations", "broadcast", "sessions", "refusals", "profiles"].contains(&tag(path))
    {
        codes.push(Code::EngineEnded);
    }
    match access {
        Access::Open => {}
        Access::Claimed => codes.push(Code::NotClaimed),
        Access::Role(_) | Access::InPerson(_) | Access::Watch => {
            codes.extend([Code::NotClaimed, Code::NotSignedIn, Code::NotAllowed]);
        }
        Access::Fresh(_) => {
            codes.extend([Code::NotClaimed, Code::NotSignedIn, Code::NotAllowed, Code::PasswordNeeded]);
        }
        Access::Metrics => codes.extend([Code::NotClaimed, Code::NotSignedIn, Code::NotAllowed]),
    }
    codes
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Notes a type's schema and those it names.
fn add<T: ToSchema>(schemas: &mut Schemas) {
    let mut inner = Vec::new();
    T::schemas(&mut inner);
    for (name, schema) in inner {
        schemas.entry(name).or_insert(schema);
    }
    schemas.insert(T::name().into_owned(), T::schema());
}

/// The same for an answer: its fields are there, also those that are `null`; those that may be missing never are. The
/// live state alone, which merge patches make, may lack what is `null`.
fn add_answer<T: ToSchema>(schemas: &mut Schemas) {
    add::<T>(schemas);
    if T::name() == Status::name() {
        return;
    }
    if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(T::name().as_ref()) {
        let always = object.properties.iter().filter(|(_, property)| allows_null(property) || is_list(property));
        let always: Vec<_> =
            always.map(|(name, _)| name.clone()).filter(|name| !object.required.contains(name)).collect();
        object.required.extend(always);
    }
}

fn allows_null(schema: &RefOr<Schema>) -> bool {
    let is_null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    };
    match schema {
        RefOr::T(Schema::Object(object)) => is_null(&object.schema_type),
        RefOr::T(Schema::Array(array)) => is_null(&array.schema_type),
        RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter().any(allows_null),
        _ => false,
    }
}

fn is_list(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Array(_)))
}

/// The same for what is sent: fields that are not named are refused.
fn add_request<T: ToSchema>(schemas: &mut Schemas) {
    add::<T>(schemas);
    if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(T::name().as_ref()) {
        close(object);
    }
}

fn patch_name<T: ToSchema>() -> String {
    format!("{}Patch", T::name().trim_start_matches("New").trim_end_matches("Change"))
}

/// The same for a merge patch: no field is required.
fn add_patch<T: ToSchema>(schemas: &mut Schemas) {
    let mut inner = Vec::new();
    T::schemas(&mut inner);
    for (name, schema) in inner {
        schemas.entry(name).or_insert(schema);
    }
    let mut schema = T::schema();
    if let RefOr::T(Schema::Object(object)) = &mut schema {
        close(object);
        object.required.clear();
        for property in object.properties.values_mut() {
            // A default is for what is missing in a new object; what is missing in a patch stays.
            match property {
                RefOr::T(Schema::Object(property)) => property.default = None,
                RefOr::T(Schema::Array(property)) => property.default = None,
                _ => {}
            }
        }
    }
    schemas.insert(patch_name::<T>(), schema);
}

fn close(object: &mut Object) {
    object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
}

fn words<T: Serialize>(all: &[T]) -> ObjectBuilder {
    let words = all.iter().filter_map(|word| serde_json::to_value(word).ok());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

fn nullable<T: Serialize>(all: &[T]) -> ObjectBuilder {
    let words = all.iter().filter_map(|word| serde_json::to_value(word).ok()).chain([Value::Null]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(words))
}

pub(crate) fn codes_schema() -> Schema {
    words(Code::ALL).into()
}

/// Any value.
pub(crate) fn any() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
}

pub(crate) fn role() -> Schema {
    words(Role::ALL).into()
}

pub(crate) fn nullable_role() -> Schema {
    nullable(Role::ALL).into()
}

pub(crate) fn job_state() -> Schema {
    words(JobState::ALL).into()
}

pub(crate) fn event_code() -> Schema {
    words(&codes::EVENTS).into()
}

pub(crate) fn advice_code() -> Schema {
    words(&codes::ADVICE).into()
}

pub(crate) fn warning_code() -> Schema {
    words(&codes::WARNINGS).into()
}

pub(crate) fn refusal_code() -> Schema {
    words(&codes::REFUSALS).into()
}

pub(crate) fn alarm() -> Schema {
    words(&lookout::CODES).into()
}

pub(crate) fn board_alarm() -> Schema {
    words(&vitals::ALARMS).into()
}

pub(crate) fn severity() -> Schema {
    words(Severity::ALL).into()
}

pub(crate) fn service() -> Schema {
    words(TellBy::ALL).into()
}

pub(crate) fn start_mode() -> Schema {
    words(StartMode::ALL).into()
}

pub(crate) fn start_mode_or_default() -> Schema {
    words(StartMode::ALL).default(Some(json!(StartMode::WithStream))).into()
}

pub(crate) fn scopes() -> Schema {
    ArrayBuilder::new().items(words(Scope::ALL)).into()
}

pub(crate) fn nullable_scopes() -> Schema {
    let types = SchemaType::from_iter([Type::Array, Type::Null]);
    ArrayBuilder::new().schema_type(types).items(words(Scope::ALL)).into()
}
