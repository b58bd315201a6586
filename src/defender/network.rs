//! How this computer connects to others: proxies, trusted root certificates, TLS.
//!
//! - [`obstacle`](mod@obstacle): what prevents a connection until a person fixes it. `tunnel`: what a proxy answers.

pub mod obstacle;
mod tunnel;

use std::{error::Error, fmt};

pub use obstacle::Obstacle;
pub(crate) use obstacle::obstacle;
use reqwest::{Certificate, ClientBuilder, redirect, retry, tls};

/// Settings for company networks. The HTTP client itself finds the environment's proxy (`HTTPS_PROXY`, `NO_PROXY`).
#[derive(Clone, Default)]
pub struct Network {
    /// Trusted in addition to the system's root certificates.
    roots: Vec<Certificate>,
}

/// Why a file cannot be used as certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRoots {
    /// There is no PEM certificate in it.
    #[error(
        "there is no certificate in it; it must hold PEM blocks that begin with -----BEGIN CERTIFICATE-----; a DER \
         file is converted by `openssl x509 -inform der -in FILE -out FILE.pem`"
    )]
    Empty,
    /// A block cannot be read.
    #[error("a certificate in it cannot be read: {0}")]
    Unreadable(String),
}

impl Network {
    /// Trusts these certificates (one or more, in PEM) in addition to the system's.
    ///
    /// # Errors
    /// There is no certificate, or one cannot be read.
    pub fn trusting(pem: &[u8]) -> Result<Self, BadRoots> {
        let roots = Certificate::from_pem_bundle(pem)
            .map_err(|why| BadRoots::Unreadable(innermost(&why)))?;
        if roots.is_empty() {
            return Err(BadRoots::Empty);
        }
        Ok(Self { roots })
    }

    /// A client that retries nothing and follows no redirects, since a redirect might send a token elsewhere, and
    /// would be a call that the limiter does not count. A `direct` client uses no proxy: for this computer itself,
    /// and for the host's metadata service, which a proxy cannot reach.
    pub(crate) fn client(&self, direct: bool) -> ClientBuilder {
        let client = without_retries()
            .tls_version_min(tls::Version::TLS_1_2)
            .tls_certs_merge(self.roots.iter().cloned());
        if direct { client.no_proxy() } else { client }
    }

    /// The same for `http://` on this computer. It trusts no certificate and needs none; reading the system's takes
    /// some milliseconds.
    pub(crate) fn client_without_tls() -> ClientBuilder {
        without_retries().no_proxy().tls_certs_only([])
    }
}

fn without_retries() -> ClientBuilder {
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .user_agent(concat!("fleetsweep/", env!("CARGO_PKG_VERSION")))
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("roots", &self.roots.len())
            .finish()
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Beginnings of error messages that do not say what happened.
const LAYERS: [&str; 4] = [
    "error sending request",
    "client error (",
    "connection error",
    "request or response body error",
];

/// The two innermost causes of an error: what failed, and the operating system's message.
pub(super) fn why(error: &(dyn Error + 'static)) -> String {
    let mut chain: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    let innermost = chain.pop().unwrap_or_default();
    match chain.pop() {
        Some(outer) if LAYERS.iter().any(|layer| outer.starts_with(layer)) => innermost,
        // Some errors repeat the message of their cause.
        Some(outer) if outer.contains(&innermost) => outer,
        Some(outer) => format!("{outer}: {innermost}"),
        None => innermost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_in_words() {
        assert_eq!(Network::trusting(b"").unwrap_err(), BadRoots::Empty);
        assert_eq!(Network::trusting(b"\x30\x82").unwrap_err(), BadRoots::Empty);
        let told =
            Network::trusting(b"-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n");
        assert!(matches!(told, Err(BadRoots::Unreadable(_))), "{told:?}");
    }
}
