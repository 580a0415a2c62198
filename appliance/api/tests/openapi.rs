//! The OpenAPI document: whole, valid, and true.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

mod common;

use std::collections::BTreeSet;

use common::TestBox;
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(&brookbox_api::openapi()).unwrap()
}

/// A validator for one schema of the document (JSON Schema 2020-12, which OpenAPI 3.1 uses).
fn validator(schema: Value) -> jsonschema::Validator {
    let mut schema = schema;
    schema["components"] = document()["components"].clone();
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

fn check(name: &str, schema: Value, value: &Value) {
    let errors: Vec<_> =
        validator(schema).iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn the_document_is_whole() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        let name = reference.strip_prefix("#/components/schemas/").expect("a schema of this document");
        assert!(schemas.contains_key(name), "{name} is named and not there");
    }
    for name in schemas.keys() {
        assert!(references.contains(&format!("#/components/schemas/{name}")), "{name} is there and not named");
    }
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let place = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}: the id is not its own");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}");
        assert!(operation["x-brookbox-access"]["beforeClaim"].is_boolean(), "{place}");
        assert!(operation["security"].is_array(), "{place}");
        let named = path.split('/').filter(|part| part.starts_with('{')).count();
        let declared =
            operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "path").count();
        assert_eq!(named, declared, "{place}: parameters");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{place}: no good answer");
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            assert!(response["content"]["application/problem+json"].is_object(), "{place}: {status}");
            assert!(!response["x-problem-codes"].as_array().unwrap().is_empty(), "{place}: {status}");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value.as_str() {
                    Some(reference) if name == "$ref" => {
                        references.insert(reference.to_owned());
                    }
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[test]
fn every_schema_is_a_schema_and_holds_its_examples() {
    let document = document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name} is no schema");
        validator(json!({"$ref": format!("#/components/schemas/{name}")}));
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            for example in [&property["example"], &property["default"]].into_iter().filter(|example| !example.is_null())
            {
                check(&format!("{name}.{field}"), property.clone(), example);
            }
        }
    }
}

#[tokio::test]
async fn the_box_serves_the_document_that_the_command_prints() {
    let test_box = TestBox::start().await;
    let answer = test_box.client().get("/api/v1/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, document());
}

/// Every `GET` that takes no id, and what every write answers, against what the document says.
#[tokio::test]
async fn real_answers_are_as_the_document_says() {
    let (test_box, owner) = TestBox::claimed().await;
    let document = document();
    let schema_of = |method: &str, path: &str, status: u16| {
        let response = &document["paths"][path][method]["responses"][status.to_string()];
        assert!(response.is_object(), "{method} {path} {status} is not in the document");
        let content = response["content"].as_object().and_then(|types| types.values().next());
        content.map(|content| content["schema"].clone())
    };
    let writes = [
        (
            "/api/v1/destinations",
            json!({"url": "rtmp://192.0.2.7/app", "key": "club-key", "username": "u", "password": "p"}),
            201,
        ),
        ("/api/v1/destinations", json!({"platform": "kick", "key": "k"}), 422),
        ("/api/v1/destinations", json!({"url": "rtmp://127.0.0.1/app", "key": "k"}), 422),
        ("/api/v1/inputs", json!({"name": "Guest"}), 201),
        ("/api/v1/users", json!({"username": "jonas", "password": "another password", "role": "viewer"}), 201),
        ("/api/v1/tokens", json!({"name": "script", "scopes": ["read", "metrics"]}), 201),
        ("/api/v1/me/confirm", json!({"password": common::PASSWORD}), 200),
        ("/api/v1/me/confirm", json!({"password": "wrong"}), 401),
        ("/api/v1/watch-links", json!({"name": "Family", "input": "main", "viewers": 2}), 201),
        ("/api/v1/notifications", json!({"service": "ntfy", "url": "https://ntfy.sh/river-street"}), 201),
        ("/api/v1/notifications", json!({"service": "webhook", "url": "http://127.0.0.1/"}), 422),
        ("/api/v1/profiles", json!({"name": "Sunday"}), 201),
        ("/play/watch", json!({"token": "there is no such link"}), 404),
        ("/api/v1/broadcast/start", json!({}), 200),
        ("/api/v1/system/support-file", json!({}), 201),
        ("/api/v1/setup", json!({}), 409),
    ];
    for (path, body, status) in writes {
        let answer = owner.post(path, body.clone()).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        check(&format!("POST {path}"), schema_of("post", path, status).unwrap(), &answer.body);
        let sent = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
        if status < 300 && sent.is_object() {
            check(&format!("what is sent to {path}"), sent.clone(), &body);
        }
    }
    for (path, method, _) in operations(&document) {
        if method != "get" || ["/api/v1/live", "/metrics", "/play/watch", "/play/{input}.flv"].contains(&path.as_str())
        {
            continue;
        }
        // For one object: the first of its list.
        let mut real = path.clone();
        if let Some((list, (_, rest))) =
            path.split_once("/{").and_then(|(list, one)| Some((list, one.split_once('}')?)))
        {
            match owner.get(list).await.body[0]["id"].as_str() {
                Some(id) => real = format!("{list}/{id}{rest}"),
                None => continue,
            }
        }
        let answer = owner.get(&real).await;
        assert_eq!(answer.status, 200, "{real}: {answer:?}");
        check(&real, schema_of("get", &path, 200).unwrap(), &answer.body);
    }
    let missing = owner.get("/api/v1/inputs/nope").await;
    check("404", schema_of("get", "/api/v1/inputs/{id}", 404).unwrap(), &missing.body);
    let nobody = test_box.client().get("/api/v1/status").await;
    check("401", schema_of("get", "/api/v1/status", 401).unwrap(), &nobody.body);
}
