//! The address under which the API is called, checked before a token is sent there.

use std::{fmt, net::IpAddr};

use reqwest::Url;

/// Why an address cannot be the API's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBase {
    /// No URL at all.
    #[error(
        "the API's address {text:?} is not a URL ({why}); it looks like https://api.security.microsoft.com"
    )]
    NoUrl {
        /// What was given.
        text: String,
        /// The parser's word.
        why: String,
    },
    /// Another scheme than http and https.
    #[error(
        "the API's address begins with {scheme}://; it must be https://, or http:// for a loopback address"
    )]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// Plain http to another computer.
    #[error(
        "the API's address http://{host} is not encrypted, so the token could be read on the way; use https:// \
         (http:// is for loopback addresses such as http://127.0.0.1:8080)"
    )]
    Plain {
        /// The host that was given.
        host: String,
    },
    /// `user:password@`. The text is left out: it may be a secret.
    #[error(
        "the API's address contains a user name or password; leave it out, the API is called with a bearer token"
    )]
    Credentials,
    /// `?…` or `#…`.
    #[error(
        "the API's address {text:?} goes on after its path; leave out everything from the ? or # on"
    )]
    Trailing {
        /// What was given.
        text: String,
    },
}

/// Scheme, host, port and path prefix of the API; safe to send a bearer token to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiBase {
    url: Url,
}

impl ApiBase {
    /// Takes an address as people write it: with or without a slash at its end, with or without the `/api` that
    /// Microsoft's examples show.
    ///
    /// # Errors
    /// The address is no URL, is plain http to anything but a loopback address, or says more than where the API is.
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
        if base.url.scheme() == "http" && !base.is_loopback() {
            return Err(BadBase::Plain {
                host: base.host().to_owned(),
            });
        }
        Ok(base)
    }

    /// Whether the address is this computer's own.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The host, in lower case, an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Scheme, host and port: what names another API than Microsoft's.
    #[must_use]
    pub fn origin(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}://{}:{port}", self.url.scheme(), self.host())
    }

    /// The URL of a path below the base. Segments and values are encoded here; `None` for a segment that a URL cannot
    /// carry (`.` and `..` would name another resource, an empty one too).
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

/// A query value with everything but unreserved characters as `%XX`. A form's `+` for a blank is not understood by
/// every `OData` parser.
fn encoded(value: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(value.len() * 2);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
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
    fn what_is_no_address_of_an_api_is_refused_without_showing_a_password() {
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
