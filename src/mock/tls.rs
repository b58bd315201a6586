//! TLS for the mock: a certificate that is made at the start, and an authority to sign it.
//!
//! Both private keys exist in this process's memory only. Who trusts the authority by its [`CaPem`] trusts this mock
//! and no other.

use std::{io, sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, crypto, pki_types::CertificateDer},
    server::TlsStream,
};

/// How long a handshake may take. It is two messages each way.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What is offered to clients that can choose (ALPN), the best first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A server's side of TLS: certificate, key, and the versions of HTTP that it offers.
#[derive(Debug, Clone)]
pub struct Tls(Arc<ServerConfig>);

/// The certificate of the authority that has signed a server's, as PEM, for clients to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaPem(pub String);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate could not be made or signed, for instance because a name is not ASCII.
    #[error("the certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate could not be used.
    #[error("the certificate cannot be used: {0}")]
    Config(#[from] rustls::Error),
}

impl Tls {
    /// Makes an authority, and has it sign a certificate for these host names and IP addresses. Both are valid for a
    /// year from `now` on, and since the day before, for clients whose clock is behind.
    ///
    /// # Errors
    /// A name cannot be part of a certificate.
    pub fn generate(
        names: impl Into<Vec<String>>,
        now: Timestamp,
    ) -> Result<(Self, CaPem), TlsError> {
        let mut params = valid_for_a_year(CertificateParams::default(), "fleetsweep mock CA", now);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let key = KeyPair::generate()?;
        let params = CertificateParams::new(names)?;
        let mut params = valid_for_a_year(params, "fleetsweep mock", now);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict clients demand it, such as Python's since 3.13.
        params.use_authority_key_identifier_extension = true;
        let certificate = CertificateDer::from(params.signed_by(&key, &ca)?);

        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate], key.into())?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok((Self(Arc::new(config)), CaPem(ca.pem())))
    }

    /// The same, with HTTP/1.1 alone.
    #[must_use]
    pub fn with_http1_only(mut self) -> Self {
        Arc::make_mut(&mut self.0).alpn_protocols = vec![b"http/1.1".to_vec()];
        self
    }

    /// Shakes hands with a client.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let handshake = TlsAcceptor::from(Arc::clone(&self.0)).accept(stream);
        tokio::time::timeout(HANDSHAKE, handshake).await?
    }
}

/// Fills in what both certificates have. Some systems refuse certificates that are valid for more than 825 days.
fn valid_for_a_year(
    mut params: CertificateParams,
    name: &str,
    now: Timestamp,
) -> CertificateParams {
    let start_of = |date: Date| {
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        date_time_ymd(date.year().into(), month, day)
    };
    let today = TimeZone::UTC.to_datetime(now).date();
    params.not_before = start_of(today.saturating_sub(1.day()));
    params.not_after = start_of(today.saturating_add(1.year()));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
