//! The files of the console, compressed once when the server starts.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "src/console/ui/"]
struct Files;

/// Every file of the console by its path.
pub(super) struct Assets(HashMap<String, Asset>);

/// A file with what its answers need.
pub(super) struct Asset {
    pub(super) plain: Bytes,
    gzip: Option<Bytes>,
    media_type: HeaderValue,
    etag: HeaderValue,
}

impl Assets {
    pub(super) fn load() -> Self {
        let files = Files::iter().filter_map(|path| Some((path.to_string(), Files::get(&path)?)));
        Self(files.map(|(path, file)| (path.clone(), Asset::of(&path, file))).collect())
    }

    pub(super) fn get(&self, path: &str) -> Option<&Asset> {
        self.0.get(path)
    }
}

impl Asset {
    fn of(path: &str, file: rust_embed::EmbeddedFile) -> Self {
        let plain = Bytes::from(file.data.into_owned());
        let media_type = media_type(path);
        let gzip = (media_type != "image/jpeg").then(|| compress(&plain));
        let mut etag = String::from("\"");
        for byte in &file.metadata.sha256_hash()[..12] {
            let _ = write!(etag, "{byte:02x}");
        }
        etag.push('"');
        let etag = HeaderValue::from_str(&etag).expect("hexadecimal digits are a header value");
        Self { plain, gzip, media_type: HeaderValue::from_static(media_type), etag }
    }

    /// The file, or that the one that the client has is still the same.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if names(request, header::IF_NONE_MATCH, self.etag.to_str().unwrap_or_default()) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.media_type.clone());
        let gzip = self.gzip.as_ref().filter(|_| names(request, header::ACCEPT_ENCODING, "gzip"));
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *response.body_mut() = Body::from(gzip.unwrap_or(&self.plain).clone());
        response
    }
}

/// Whether a list in a header has this member, weak or strong; a member with a weight is one too,
/// unless that is zero.
fn names(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|member| {
        let (member, weight) = member.split_once(';').unwrap_or((member, ""));
        let is_refused = matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
        member.trim().trim_start_matches("W/") == wanted && !is_refused
    })
}

fn compress(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).expect("memory takes every write");
    encoder.finish().expect("memory takes every write").into()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("jpg") => "image/jpeg",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a first visit may cost, and what a reader of the folder has to keep in mind.
    #[test]
    fn the_console_stays_within_its_budget() {
        let assets = Assets::load().0;
        let sizes = assets.values().map(|asset| asset.gzip.as_ref().unwrap_or(&asset.plain).len());
        let total: usize = sizes.sum();
        assert!(total <= 120_000, "{total} bytes compressed");
        assert!(assets.len() <= 40, "{} files", assets.len());
    }

    #[test]
    fn a_list_in_a_header_is_read_member_by_member() {
        for (value, is_named) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("br,gzip;q=0", false),
            ("xgzip", false),
            ("", false),
        ] {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(names(&headers, header::ACCEPT_ENCODING, "gzip"), is_named, "{value}");
        }
    }
}
