//! No forged request passes, and none makes the verifier panic.

use proptest::prelude::*;

use super::*;

/// Changes one byte to another of the same kind, so that the request stays one that HTTP can carry.
fn bend(text: &mut [u8], index: prop::sample::Index) {
    let letters: Vec<usize> =
        (0..text.len()).filter(|&at| text[at].is_ascii_alphanumeric()).collect();
    let at = letters[index.index(letters.len())];
    text[at] = if text[at] == b'7' { b'8' } else { b'7' };
}

proptest! {
    #[test]
    fn any_changed_byte_is_noticed(
        place in 0..5_usize,
        index in any::<prop::sample::Index>(),
        path in "(/[a-z0-9]{1,8}){1,3}",
        query in "[a-z]{1,4}=[a-z0-9]{1,8}",
        presigned in any::<bool>(),
    ) {
        let location = if presigned { SignatureLocation::QueryParams } else { SignatureLocation::Headers };
        let draft = Draft { uri: format!("{path}?{query}"), location, ..Draft::default() };
        let mut parts = draft.sign();
        let mut body = BODY.to_vec();
        prop_assert!(verifier().authenticate(&parts, &body, at(60)).is_ok());
        match place {
            0 => bend(&mut body, index),
            1 => {
                let names: Vec<_> = parts.headers.keys().filter(|name| *name != "authorization").cloned().collect();
                let name = &names[index.index(names.len())];
                let mut value = parts.headers[name].as_bytes().to_vec();
                bend(&mut value, index);
                parts.headers.insert(name, HeaderValue::from_bytes(&value).expect("a header value"));
            }
            2 => {
                let mut path = parts.uri.path().as_bytes().to_vec();
                bend(&mut path, index);
                let query = parts.uri.query().expect("a query");
                parts.uri = format!("{}?{query}", String::from_utf8(path).expect("text")).parse().expect("a URI");
            }
            3 => {
                let mut query = parts.uri.query().expect("a query").as_bytes().to_vec();
                bend(&mut query, index);
                // A bent percent escape may be none any more.
                let uri = format!("{}?{}", parts.uri.path(), String::from_utf8(query).expect("text"));
                parts.uri = uri.parse().expect("a URI");
            }
            _ if presigned => parts.method = http::Method::PUT,
            _ => {
                let mut value = parts.headers["authorization"].as_bytes().to_vec();
                bend(&mut value, index);
                parts.headers.insert("authorization", HeaderValue::from_bytes(&value).expect("a header value"));
            }
        }
        prop_assert!(verifier().authenticate(&parts, &body, at(60)).is_err());
    }

    #[test]
    fn no_header_or_query_makes_it_panic(
        authorization in proptest::option::of("[ -~]{0,120}"),
        date in proptest::option::of("([0-9]{8}T[0-9]{6}Z|[ -~]{0,40})"),
        query in "[!$-;=?-Z_a-z~]{0,120}",
    ) {
        let mut request = Request::post(format!("/?X-Amz-Credential=a&{query}"));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(date) = date {
            request = request.header("x-amz-date", date);
        }
        let parts = request.body(()).expect("a request").into_parts().0;
        prop_assert!(verifier().authenticate(&parts, BODY, at(0)).is_err());
    }
}
