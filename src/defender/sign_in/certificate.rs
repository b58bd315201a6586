//! Signs assertions with an application's certificate and key.

use std::{fmt, path::Path};

use aws_lc_rs::{digest, rand::SystemRandom, rsa, signature::RSA_PSS_SHA256};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;

use super::SignInError;

/// How long an assertion is valid. Entra ID allows clocks to differ by 5 min, and accepts ten minutes.
const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// A certificate with its key.
pub struct Certificate {
    key: rsa::KeyPair,
    /// SHA-256 of the certificate, base64url: `x5t#S256`.
    thumbprint: String,
}

impl Certificate {
    /// Reads a PEM file that contains both.
    ///
    /// # Errors
    /// The file cannot be read, is not PEM, or has no certificate or no usable key. The text says what to do.
    pub fn read(path: &Path) -> Result<Self, SignInError> {
        let place = path.display();
        let bytes = std::fs::read(path).map_err(|why| {
            SignInError(format!(
                "the certificate {place} cannot be read: {why}; look at AZURE_CLIENT_CERTIFICATE_PATH"
            ))
        })?;
        Self::parse(&bytes).map_err(|why| {
            SignInError(format!(
                "the certificate {place} cannot be used: {}",
                why.text(path)
            ))
        })
    }

    fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.first() == Some(&0x30) {
            return Err(FileError::Binary);
        }
        let text = String::from_utf8_lossy(bytes);
        if text.contains("ENCRYPTED") {
            return Err(FileError::Encrypted);
        }
        let certificate =
            CertificateDer::from_pem_slice(bytes).map_err(|_| FileError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|_| FileError::NoKey)?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(key) => rsa::KeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => rsa::KeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(FileError::NotRsa),
        };
        let key = key.map_err(|_| FileError::NotRsa)?;
        let thumbprint = digest::digest(&digest::SHA256, &certificate);
        Ok(Self {
            key,
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(thumbprint),
        })
    }

    /// A signed assertion for `client`, valid from `now` on, for the token endpoint `audience`.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn assertion(
        &self,
        client: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let cannot = || SignInError("the certificate's key cannot sign".to_owned());
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let at = |moment: Result<Timestamp, jiff::Error>| moment.unwrap_or(now).as_second();
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| cannot())?;
        let claims = json!({
            "aud": audience,
            "iss": client,
            "sub": client,
            "jti": BASE64_URL_SAFE_NO_PAD.encode(id),
            "nbf": now.as_second(),
            "iat": now.as_second(),
            "exp": at(now.checked_add(LIFE)),
        });
        let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .map_err(|_| cannot())?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        Ok(format!("{message}.{signature}"))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a certificate's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileError {
    Binary,
    Encrypted,
    NoCertificate,
    NoKey,
    NotRsa,
}

impl FileError {
    fn text(self, path: &Path) -> String {
        let from = path.display();
        let to = path.with_extension("pem");
        let to = if to == path {
            path.with_extension("plain.pem")
        } else {
            to
        };
        let to = to.display();
        match self {
            Self::Binary => format!(
                "it is no PEM file but a PFX (or DER); convert it with `openssl pkcs12 -in {from} -out {to} -nodes`, \
                 and name {to} in AZURE_CLIENT_CERTIFICATE_PATH"
            ),
            Self::Encrypted => format!(
                "its key is encrypted, and fleetsweep asks for no passphrase; write a plain one with `(openssl x509 \
                 -in {from}; openssl pkey -in {from}) > {to}`, readable for you alone, and name {to} in \
                 AZURE_CLIENT_CERTIFICATE_PATH"
            ),
            Self::NoCertificate => {
                "there is no -----BEGIN CERTIFICATE----- in it; the file must hold the certificate and its private key"
                    .to_owned()
            }
            Self::NoKey => {
                "there is no -----BEGIN PRIVATE KEY----- in it; the file must hold the certificate and its private \
                 key, as `cat key.pem certificate.pem > both.pem` makes it"
                    .to_owned()
            }
            Self::NotRsa => "its key is no RSA key of 2048 to 8192 bits, and Entra ID takes no other".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> FileError {
        Certificate::parse(bytes).unwrap_err()
    }

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[test]
    fn each_wrong_file_has_its_own_error() {
        assert_eq!(error(b"\x30\x82\x01"), FileError::Binary);
        assert_eq!(error(b""), FileError::NoCertificate);
        assert_eq!(error(CERTIFICATE.as_bytes()), FileError::NoKey);
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(
            error(format!("{CERTIFICATE}{encrypted}").as_bytes()),
            FileError::Encrypted
        );
        for kind in ["", "RSA ", "EC "] {
            let key = format!(
                "-----BEGIN {kind}PRIVATE KEY-----\nMAA=\n-----END {kind}PRIVATE KEY-----\n"
            );
            assert_eq!(
                error(format!("{CERTIFICATE}{key}").as_bytes()),
                FileError::NotRsa
            );
        }
    }

    #[test]
    fn a_pfx_gets_the_line_that_converts_it() {
        let told = FileError::Binary.text(Path::new("app.pfx"));
        assert!(
            told.contains("`openssl pkcs12 -in app.pfx -out app.pem -nodes`"),
            "{told}"
        );
        let told = FileError::Binary.text(Path::new("app.pem"));
        assert!(told.contains("-out app.plain.pem"), "{told}");
    }

    #[test]
    fn a_file_that_is_not_there_names_the_variable() {
        let told = Certificate::read(Path::new("/nowhere/app.pem"))
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("/nowhere/app.pem") && told.contains("AZURE_CLIENT_CERTIFICATE_PATH"),
            "{told}"
        );
    }
}
