//! Where the console finds pictures of enrolled people.
//!
//! The server keeps no image. An operator whose application has pictures can name them, and the
//! browser fetches them from there.

use std::str::FromStr;

use reqwest::Url;
use serde::Serialize;

const PLACEHOLDERS: [&str; 3] = ["{ExternalImageId}", "{UserId}", "{FaceId}"];

/// The address of a picture, with the names of members of a face in braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ThumbnailTemplate {
    template: String,
    #[serde(skip)]
    origin: String,
}

impl ThumbnailTemplate {
    /// Scheme, host and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

impl FromStr for ThumbnailTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = || {
            format!(
                "`{text}` is no address of pictures; write for example \
                 https://app.example/people/{{ExternalImageId}}.jpg, with {}",
                PLACEHOLDERS.join(" or ")
            )
        };
        let url = Url::parse(text).map_err(|_| example())?;
        let has_member = PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder));
        if !has_member || !matches!(url.scheme(), "http" | "https") {
            return Err(example());
        }
        let origin = url.origin().ascii_serialization();
        // A host with a member's name in it would let the page call any host there is.
        let is_fixed = origin.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'/' | b'[' | b']')
        });
        if is_fixed { Ok(Self { template: text.to_owned(), origin }) } else { Err(example()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_a_member_and_one_host() {
        let template: ThumbnailTemplate =
            "https://app.example:8443/people/{ExternalImageId}.jpg".parse().expect("a template");
        assert_eq!(template.origin(), "https://app.example:8443");
        for wrong in [
            "people/{ExternalImageId}.jpg",
            "https://app.example/people.jpg",
            "https://{UserId}.example/x.jpg",
            "file:///people/{UserId}",
            "https://a.example;script-src/{UserId}",
        ] {
            assert!(wrong.parse::<ThumbnailTemplate>().is_err(), "{wrong}");
        }
    }
}
