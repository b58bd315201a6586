//! The API's address, checked before a token is sent there.

use std::{fmt, net::IpAddr};

use reqwest::Url;

/// Why an address cannot be the API's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBase {
    /// It is not a URL.
    #[error(
        "the API's address {text:?} is not a URL ({why}); it looks like https://api.security.microsoft.com"
    )]
    NoUrl {
        /// What was given.
        text: String,
        /// The parser's error.
        why: String,
    },
    /// The scheme is neither http nor https.
    #[error(
        "the API's address begins with {scheme}://; it must be https://, or http:// for a loopback address"
    )]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// It is plain http to another computer.
    #[error(
        "the API's address http://{host} is not encrypted, so the token could be read on the way; use https:// \
         (http:// is for loopback addresses such as http://127.0.0.1:8080)"
    )]
    Plain {
        /// The host that was given.
        host: String,
    },
    /// It contains `user:password@`. The text is not shown, because it may be a secret.
    #[error(
        "the API's address contains a user name or password; leave it out, the API is called with a bearer token"
    )]
    Credentials,
    /// It ends with `?…` or `#…`.
    #[error(
        "the API's address {text:?} goes on after its path; leave out everything from the ? or # on"
    )]
    Trailing {
        /// What was given.
        text: String,
    },
}

/// Scheme, host, port and path prefix of the API. It is safe to send a bearer token there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiBase {
    url: Url,
}

impl ApiBase {
    /// Parses an address as people write it: with or without a slash at its end, and with or without the `/api` of
    /// Microsoft's examples.
    ///
    /// # Errors
    /// The address is not a URL, is plain http to anything but a loopback address, or has credentials, a query or a
    /// fragment.
    pub fn parse(text: &str) -> Result<Self, BadBase> {
        let text = text.trim();
        let mut url = Url::parse(text).map_err(|why| BadBase::NoUrl {
            text: without_credentials(text),
            why: why.to_string(),
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadBase::Credentials);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadBase::Scheme {
                scheme: url.scheme().to_owned(),
            });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BadBase::Trailing {
                text: text.to_owned(),
            });
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/api").unwrap_or(path).to_owned();
        url.set_path(&path);
        let base = Self { url };
        if base.is_http() && !base.is_loopback() {
            return Err(BadBase::Plain {
                host: base.host().to_owned(),
            });
        }
        Ok(base)
    }

    /// Whether it is `http://`, which only a loopback address may be.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// Whether the address is a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The host in lower case. An IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}://{}:{port}", self.url.scheme(), self.host())
    }

    /// The URL of a path below the base. Segments and values are encoded here. `None` if a segment is empty, `.` or
    /// `..`, which would name another resource.
    pub(super) fn at(&self, segments: &[&str], query: &[(&str, String)]) -> Option<Url> {
        if segments.iter().any(|s| matches!(*s, "" | "." | "..")) {
            return None;
        }
        let mut url = self.url.clone();
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            let pairs: Vec<String> = query
                .iter()
                .map(|(name, value)| format!("{name}={}", encoded(value)))
                .collect();
            url.set_query(Some(&pairs.join("&")));
        }
        Some(url)
    }
}

impl fmt::Display for ApiBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

/// A query value in which everything except unreserved characters is `%XX`. Not every `OData` parser understands the
/// `+` of forms for a blank.
fn encoded(value: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them_mean_one_base() {
        for text in [
            "https://api.security.microsoft.com",
            "https://API.security.microsoft.com/",
            " https://api.security.microsoft.com/api/ ",
        ] {
            let base = ApiBase::parse(text).unwrap();
            assert_eq!(base.to_string(), "https://api.security.microsoft.com");
            assert_eq!(base.origin(), "https://api.security.microsoft.com:443");
            assert!(!base.is_loopback());
        }
    }

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for text in [
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://localhost:1",
        ] {
            assert!(ApiBase::parse(text).unwrap().is_loopback(), "{text}");
        }
        for text in [
            "http://api.security.microsoft.com",
            "http://10.0.0.1",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://0.0.0.0:8080",
        ] {
            let told = ApiBase::parse(text).unwrap_err();
            assert!(matches!(told, BadBase::Plain { .. }), "{text}: {told}");
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_without_showing_a_password() {
        for text in [
            "",
            "api.security.microsoft.com",
            "ftp://127.0.0.1",
            "https://u:hunter2@h",
            "https://u:hunter2@[",
            "https://h?x=1",
            "https://h#x",
            "https://",
        ] {
            let told = ApiBase::parse(text).unwrap_err().to_string();
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn segments_and_values_cannot_break_out() {
        let base = ApiBase::parse("https://h/prefix/").unwrap();
        let query = [("$filter", "a eq 'x&y+z' and b".to_owned())];
        let url = base.at(&["api", "machines", "a/b?c#d e"], &query).unwrap();
        assert_eq!(
            url.as_str(),
            "https://h/prefix/api/machines/a%2Fb%3Fc%23d%20e?$filter=a%20eq%20%27x%26y%2Bz%27%20and%20b"
        );
        assert_eq!(base.at(&["api", ".."], &[]), None);
        assert_eq!(base.at(&["api", ""], &[]), None);
        // The URL standard reads these as dots too, so they are encoded once more.
        let dots = base.at(&["api", "%2e%2e", "x"], &[]).unwrap();
        assert_eq!(dots.as_str(), "https://h/prefix/api/%252e%252e/x");
    }
}
