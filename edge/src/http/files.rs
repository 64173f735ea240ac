//! Files below one folder, and nothing above it.

use std::path::{Path, PathBuf};

use http_body_util::BodyExt;
use hyper::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::body::{Body, FileBody, text};
use super::plain;
use super::refuse::unescaped;

/// Answers `GET` and `HEAD` of one path below a folder; the folder's own links were followed.
pub(crate) async fn answer(folder: &Path, method: &Method, path: &str) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "files are only read\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let Some(relative) = relative(path) else {
        return plain(StatusCode::BAD_REQUEST, "this path leads out of the folder, or is none\n");
    };
    // Looked up and opened are two steps: this trusts whoever may write to the folder, and nobody else.
    let found = match tokio::fs::canonicalize(folder.join(relative)).await {
        Ok(found) if found.starts_with(folder) => found,
        _ => return plain(StatusCode::NOT_FOUND, "there is no such file\n"),
    };
    match open(&found).await {
        Some((file, length)) => {
            let body =
                if method == Method::HEAD { text("") } else { FileBody::new(file, length).boxed_unsync() };
            let mut answer = Response::new(body);
            answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind(&found)));
            answer
        }
        None => plain(StatusCode::NOT_FOUND, "there is no such file\n"),
    }
}

/// Opens a regular file. Others are not opened at all: to open a pipe waits for its writer.
async fn open(path: &Path) -> Option<(tokio::fs::File, u64)> {
    if !tokio::fs::metadata(path).await.ok()?.is_file() {
        return None;
    }
    let file = tokio::fs::File::open(path).await.ok()?;
    let length = file.metadata().await.ok()?.len();
    Some((file, length))
}

/// The relative path that the path of a request means, if it stays below where it starts.
fn relative(path: &str) -> Option<PathBuf> {
    let path = String::from_utf8(unescaped(path)?).ok()?;
    let mut relative = PathBuf::new();
    for name in path.split('/') {
        // A name with a dot in front is hidden, `.` and `..` among them; a colon or a backslash separates on
        // Windows.
        if name.is_empty() || name.starts_with('.') || name.contains(['\\', ':', '\0']) {
            return None;
        }
        relative.push(name);
    }
    Some(relative)
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("txt" | "md" | "yaml") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_its_folder() {
        for path in ["a", "a/b.txt", "a%20b", "a..b", "%C3%A4"] {
            assert!(relative(path).is_some(), "{path}");
        }
        let out = [
            "",
            "..",
            "../a",
            "a/../../b",
            "%2e%2e/a",
            "%2E%2E%2Fa",
            "a//b",
            "/etc/passwd",
            "%2Fetc/passwd",
            "a/.",
            ".env",
            "a/.git/config",
            "..%5ca",
            "c:a",
            "a%00b",
            "a%zz",
            "a%2",
            "%FF",
        ];
        for path in out {
            assert!(relative(path).is_none(), "{path}");
        }
    }
}
