//! The address of the sign-in service, checked before a secret is sent there.

use std::fmt;

use reqwest::Url;

use crate::defender::base::ApiBase;

/// Why an address cannot be the sign-in service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sign-in address {text:?} cannot be used; it is https:// and a host, as in \
     https://login.microsoftonline.com, or http:// and a loopback address for a mock tenant"
)]
pub struct BadAuthority {
    text: String,
}

/// Scheme, host and port of the sign-in service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    url: Url,
    is_loopback: bool,
}

impl Authority {
    /// Parses an address as people write it, with or without a slash at its end.
    ///
    /// # Errors
    /// The address is not a URL, is plain http to anything but a loopback address, or has a path, credentials, a
    /// query or a fragment.
    pub fn parse(text: &str) -> Result<Self, BadAuthority> {
        let bad = || BadAuthority {
            text: text.split('@').next_back().unwrap_or_default().to_owned(),
        };
        // The rules for sending a token apply to secrets too.
        let base = ApiBase::parse(text).map_err(|_| bad())?;
        let url = Url::parse(text.trim()).map_err(|_| bad())?;
        if url.path() != "/" {
            return Err(bad());
        }
        Ok(Self {
            is_loopback: base.is_loopback(),
            url,
        })
    }

    /// Whether the address is a loopback address, and so a mock's.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// The URL of a tenant's token endpoint.
    #[must_use]
    pub fn token_url(&self, tenant: &str) -> String {
        format!("{self}/{tenant}/oauth2/v2.0/token")
    }

    /// The address for `azure_identity`, which refuses http. The transport restores the right scheme.
    pub(super) fn as_https(&self) -> String {
        format!("https://{}", self.host_and_port())
    }

    /// The URL that is really called. With a mock everything goes to the mock, including requests to metadata
    /// endpoints.
    pub(super) fn mapped(&self, url: &Url) -> Url {
        if !self.is_loopback {
            return url.clone();
        }
        let mut mapped = self.url.clone();
        mapped.set_path(url.path());
        mapped.set_query(url.query());
        mapped
    }

    fn host_and_port(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.host_and_port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_https_or_loopback() {
        let real = Authority::parse("https://login.microsoftonline.com/").unwrap();
        assert_eq!(
            real.token_url("t"),
            "https://login.microsoftonline.com/t/oauth2/v2.0/token"
        );
        let url = Url::parse("http://169.254.169.254/metadata?x=1").unwrap();
        assert_eq!(real.mapped(&url), url);

        let mock = Authority::parse("http://127.0.0.1:81").unwrap();
        assert_eq!(mock.as_https(), "https://127.0.0.1:81");
        assert_eq!(
            mock.mapped(&url).as_str(),
            "http://127.0.0.1:81/metadata?x=1"
        );
    }

    #[test]
    fn anything_else_is_refused_without_showing_a_password() {
        for text in [
            "",
            "login.microsoftonline.com",
            "http://login.example",
            "https://login.example/tenant",
            "https://user:s3cret@login.example",
        ] {
            let told = Authority::parse(text).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}
