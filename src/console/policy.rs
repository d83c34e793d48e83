//! What the pages of the console may load and call: the server itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::ThumbnailTemplate;
use super::assets::Assets;

const INLINE: [&str; 2] = ["<script>", "<script type=\"importmap\">"];

/// The policy of every answer. The two inline scripts, one sets the theme and one maps names of
/// modules, are named by their hashes.
pub(super) fn content_security_policy(
    assets: &Assets,
    thumbnails: Option<&ThumbnailTemplate>,
) -> HeaderValue {
    let index = assets.get("index.html").map(|asset| String::from_utf8_lossy(&asset.plain));
    let index = index.expect("the console has a page");
    let scripts = INLINE.iter().filter_map(|tag| index.split_once(tag)?.1.split_once("</script>"));
    let hashes: Vec<String> = scripts
        .map(|(script, _)| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    let pictures = thumbnails.map(ThumbnailTemplate::origin).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self' {}; style-src 'self'; connect-src 'self'; \
         img-src 'self' blob: data: {pictures}; media-src 'self' blob:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hashes.join(" ")
    );
    HeaderValue::try_from(policy).expect("hashes and an origin are ASCII")
}
