//! The server of `--metrics`. It runs beside the campaign, and ends with the process.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};

use crate::{
    cli::Failure,
    monitor::{Metrics, Pulse, metrics},
};

/// A server that does not answer yet.
pub(super) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// It is in use, or is not one of this computer's.
    pub(super) fn bind(address: SocketAddr) -> Result<Self, Failure> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        bound.map_err(|e| {
            Failure::usage(format!(
                "cannot listen on {address}: {e}; give --metrics another address, port 0 takes any that is free"
            ))
        })
    }

    /// Where the metrics are.
    pub(super) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Answers from now on.
    ///
    /// # Errors
    /// The system does not let it.
    pub(super) fn start(self, metrics: Arc<Metrics>, pulse: Arc<Pulse>) -> Result<(), Failure> {
        let address = self.address;
        let listener = tokio::net::TcpListener::from_std(self.listener)
            .map_err(|e| Failure::usage(format!("cannot listen on {address}: {e}")))?;
        let app = app(metrics, pulse);
        tokio::spawn(async move {
            // It goes on for ever: errors of single connections are theirs.
            let _ = axum::serve(listener, app).await;
        });
        Ok(())
    }
}

/// `/metrics` and `/healthz`. Any other path is answered with 404, any other method with 405.
fn app(metrics: Arc<Metrics>, pulse: Arc<Pulse>) -> Router {
    let text = move || async move { ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics.text()) };
    let health = move || async move {
        match pulse.check() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    };
    Router::new()
        .route("/metrics", get(text))
        .route("/healthz", get(health))
}
