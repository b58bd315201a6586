//! The mock's options for https.

use std::{fs, net::IpAddr, path::PathBuf};

use clap::Args;

use super::MockError;
use crate::{
    mock::Tls,
    quota::{Clock, SystemClock},
};

/// Whether the mock serves https, and how clients come to trust it.
#[derive(Debug, Clone, Args)]
pub struct TlsArgs {
    /// Serve https in place of http
    ///
    /// The certificate is made at the start, for `localhost`, `127.0.0.1`, `::1` and the address of --listen. It is
    /// signed by an authority that is made with it and that no client trusts by itself: see --ca-out. Both keys stay in
    /// memory. HTTP/2 and HTTP/1.1 are served, as the client chooses.
    #[arg(long)]
    pub tls: bool,
    /// With --tls: serve HTTP/1.1 only, where clients would choose HTTP/2
    #[arg(long, requires = "tls")]
    pub http1: bool,
    /// Where to write the certificate of that authority as PEM, for `--ca-cert` of a client
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_out: Option<PathBuf>,
}

impl TlsArgs {
    /// Makes the certificate for a mock at `address`, and writes that of its authority.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn make(&self, address: IpAddr) -> Result<Option<Tls>, MockError> {
        if !self.tls {
            return Ok(None);
        }
        let mut names = ["localhost", "127.0.0.1", "::1"]
            .map(str::to_owned)
            .to_vec();
        let address = address.to_string();
        if !names.contains(&address) {
            names.push(address);
        }
        let (tls, ca) = Tls::generate(names, SystemClock.wall())?;
        if let Some(path) = &self.ca_out {
            fs::write(path, ca.0).map_err(|source| MockError::CaOut {
                path: path.clone(),
                source,
            })?;
        }
        Ok(Some(if self.http1 {
            tls.with_http1_only()
        } else {
            tls
        }))
    }
}
