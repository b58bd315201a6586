//! The address of the sign-in service, checked before a secret is sent there.

use std::fmt;

use reqwest::Url;

use crate::defender::base::ApiBase;

/// Why an address cannot be the sign-in service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sign-in address {text:?} cannot be used; it is https:// and a host, as in https://login.microsoftonline.com, \
     or http:// and a loopback address for a mock tenant"
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
    /// Takes an address as people write it, with or without a slash at its end.
    ///
    /// # Errors
    /// It is no URL, is plain http to anything but a loopback address, or says more than where the service is.
    pub fn parse(text: &str) -> Result<Self, BadAuthority> {
        let bad = || BadAuthority {
            text: text.split('@').next_back().unwrap_or_default().to_owned(),
        };
        // What may carry a token may carry a secret: the same rules.
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

    /// Whether the address is this computer's own: a mock's.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Where a tenant's tokens are asked for.
    #[must_use]
    pub fn token_url(&self, tenant: &str) -> String {
        format!("{self}/{tenant}/oauth2/v2.0/token")
    }

    /// The address that `azure_identity` is told, which refuses http: the transport puts the right scheme back.
    pub(super) fn as_https(&self) -> String {
        format!("https://{}", self.host_and_port())
    }

    /// `url` as it is to be called: towards a mock everything goes to the mock, metadata endpoints too.
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
