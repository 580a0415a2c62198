//! The page: files from a directory, each perhaps with a compressed sibling.

use std::io;
use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeDir;

use crate::app::App;
use crate::problem::{Code, Problem};

/// Where files with their hash in their name lie: what such a name once held, it holds for ever.
const HASHED: &str = "/assets/";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Asked for again each time, and answered with 304 if nothing changed.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Paths that are no pages, now or later.
const NOT_PAGES: [&str; 7] = ["api", "play", "whip", "whep", "metrics", "healthz", "readyz"];

/// Answers what no route of the API answers.
pub(crate) async fn page(State(app): State<App>, request: Request) -> Response {
    match file(&app, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn file(app: &App, request: Request) -> Result<Response, Problem> {
    let path = request.uri().path().to_owned();
    let mut segments = path.trim_start_matches('/').split('/');
    if segments.clone().next().is_some_and(|first| NOT_PAGES.contains(&first)) {
        return Err(Code::NotFound.into());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Code::MethodNotAllowed.into());
    }
    let dir = app.config.web_dir.clone();
    let dir = dir.ok_or_else(|| Problem::new(Code::NotFound).detail("No page is installed; the API is at /api/v1."))?;
    // Nothing that begins with a dot belongs to the page, `..` least of all.
    let hidden = segments
        .clone()
        .any(|segment| segment.starts_with('.') || segment.starts_with("%2e") || segment.starts_with("%2E"));
    let is_file = segments.next_back().is_some_and(|last| last.contains('.'));
    let (method, headers) = (request.method().clone(), request.headers().clone());
    if !hidden {
        let found = serve(&dir, request).await;
        if found.status() != StatusCode::NOT_FOUND {
            return Ok(with_caching(found, if path.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN }));
        }
    }
    if is_file || hidden || path.starts_with(HASHED) {
        return Err(Code::NotFound.into());
    }
    // A page of the page: its own router knows what to show.
    let mut request = Request::new(Body::empty());
    (*request.method_mut(), *request.headers_mut()) = (method, headers);
    *request.uri_mut() = Uri::from_static("/index.html");
    let index = serve(&dir, request).await;
    if index.status() == StatusCode::NOT_FOUND {
        return Err(Problem::new(Code::NotFound).detail("The page's directory has no index.html."));
    }
    Ok(with_caching(index, ASK_AGAIN))
}

async fn serve(dir: &PathBuf, request: Request) -> Response {
    let mut files = ServeDir::new(dir).precompressed_br().precompressed_gzip().append_index_html_on_directories(false);
    match files.try_call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            // What is not there is most often a page of the page's own.
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "a file of the page cannot be read");
            }
            Problem::new(Code::NotFound).into_response()
        }
    }
}

fn with_caching(mut response: Response, caching: HeaderValue) -> Response {
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CACHE_CONTROL, caching);
    }
    response
}
