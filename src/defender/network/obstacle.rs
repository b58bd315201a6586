//! What prevents a connection until a person fixes it: a certificate that is not trusted, or a proxy that refuses. An
//! outage is not an obstacle.

use std::{error::Error, fmt, io};

use rustls::CertificateError;

use super::tunnel;

/// What a person has to fix before a connection is possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The server's certificate is not trusted, has expired, or is another host's. The text says what is wrong with
    /// it, and what to do.
    Certificate(String),
    /// A proxy did not answer CONNECT with 200.
    Proxy {
        /// The status of its answer. The HTTP client reports only 407; [`Obstacle::probed`] finds out others. If it
        /// is not known, it may be a 5xx, which is an outage.
        status: Option<u16>,
        /// What the proxy did, and what to do.
        text: String,
    },
}

impl Obstacle {
    /// Whether it is an outage after all, which ends by itself: the proxy answered with 5xx.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Proxy { status: Some(status), .. } if *status >= 500)
    }

    /// The obstacle with details of the proxy's answer that the client does not report: the status, and which
    /// authentication it requires. This asks the proxy for the same tunnel again, for at most 5 s, and sends nothing
    /// through it.
    #[must_use]
    pub async fn probed(self, url: &reqwest::Url) -> Self {
        match self {
            // Not if the password may be wrong: each try would be a failed sign-in, and a few of them lock an account.
            Self::Proxy {
                status: Some(407), ..
            } if tunnel::signs_in(url) => self,
            Self::Proxy { .. } => match tunnel::probe(url).await {
                // It lets us through now, so what it answered before is not known, and has passed.
                None | Some(tunnel::Answer { status: 200, .. }) => self,
                Some(answer) => refused(Some(answer.status), &answer.schemes),
            },
            Self::Certificate(_) => self,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(text) | Self::Proxy { text, .. } => f.write_str(text),
        }
    }
}

/// The obstacle that caused this error. `None` for names that are not found, connections that were refused or lost, and
/// timeouts.
pub(crate) fn obstacle(error: &reqwest::Error) -> Option<Obstacle> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = tls(error).and_then(certificate).or_else(|| proxy(error)) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The TLS error that this is, or that is wrapped in I/O errors, since these do not return what they wrap as their
/// source.
fn tls<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    loop {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        error = error.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

fn certificate(error: &rustls::Error) -> Option<Obstacle> {
    let text = match error {
        rustls::Error::InvalidCertificate(why) => wrong_with(why),
        rustls::Error::NoCertificatesPresented => {
            "no certificate was shown: what answers there is not the service; look at the address and at HTTPS_PROXY"
                .to_owned()
        }
        _ => return None,
    };
    Some(Obstacle::Certificate(text))
}

fn wrong_with(why: &CertificateError) -> String {
    match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => format!(
            "the certificate that was shown is not valid at this time ({why}): set this computer's clock right; if \
             it is right, whoever runs that host or proxy has to renew the certificate"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "the certificate that was shown is another host's ({why}): something else answers there; look at the \
             address, at HTTPS_PROXY and at the name server"
        ),
        // Strict clients refuse a certificate authority's own certificate on a server, even if it is trusted.
        why if why.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate that was shown is self-signed and made out as a certificate authority's, which no \
             server may show: give that server one that an authority has signed, and name that authority's \
             certificate by --ca-cert FILE"
                .to_owned()
        }
        why => format!(
            "the certificate that was shown is not trusted ({why}): it is self-signed, or of a company's own \
             authority, such as a proxy that looks into TLS shows; name that authority's certificate by --ca-cert \
             FILE (PEM)"
        ),
    }
}

/// Recognises hyper-util's `TunnelError` by its text, since the type is private. The tests check the texts.
fn proxy(error: &(dyn Error + 'static)) -> Option<Obstacle> {
    match error.to_string().as_str() {
        "tunnel error: proxy authorization required" => Some(refused(Some(407), &[])),
        "tunnel error: unsuccessful" => Some(refused(None, &[])),
        _ => None,
    }
}

/// The obstacle of a proxy that refused. `schemes` are the authentication schemes that it named, such as `NTLM`.
fn refused(status: Option<u16>, schemes: &[String]) -> Obstacle {
    let has = |wanted: &str| schemes.iter().any(|s| s.eq_ignore_ascii_case(wanted));
    let text = match status {
        Some(407) if has("Basic") => {
            "the proxy asks for authentication (407): put user and password into HTTPS_PROXY \
             (http://user:password@proxy:port), or correct those that are there"
                .to_owned()
        }
        Some(407) => {
            let wanted = if schemes.is_empty() {
                "the proxy asks for authentication (407): Basic credentials can be put into HTTPS_PROXY \
                 (http://user:password@proxy:port); NTLM and Kerberos (Negotiate) are not supported"
                    .to_owned()
            } else {
                format!(
                    "the proxy asks for authentication (407) by {}, which fleetsweep does not support",
                    schemes.join(" or ")
                )
            };
            format!(
                "{wanted}: have the proxy let this host through without, or name a local relay in HTTPS_PROXY that \
                 signs in for you, such as px or cntlm"
            )
        }
        Some(status @ 500..) => format!(
            "the proxy could not connect ({status}): it has no way to that host at the moment, or does not find its \
             name"
        ),
        Some(status) => format!(
            "the proxy refused to connect ({status}): have it let this host through, or look at HTTPS_PROXY and \
             NO_PROXY"
        ),
        None => "the proxy did not connect: if it refuses that host, have it let through; look at HTTPS_PROXY and \
                 NO_PROXY"
            .to_owned(),
    };
    Obstacle::Proxy { status, text }
}

#[cfg(test)]
#[path = "obstacle_tests.rs"]
mod tests;
