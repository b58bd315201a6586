//! One connection to the tenant: with TLS or without, in HTTP/1.1 or HTTP/2, to its end or until it is cut.

use axum::Router;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};
use tower_service::Service;

use super::tls::Tls;

/// Marks a response that must not be sent, because the connection is to be cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct CutMark;

#[derive(Debug, thiserror::Error)]
#[error("the connection is cut, as configured")]
struct Cut;

/// How HTTP/2 begins if nobody has asked for it before.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves a connection until it ends. When `closing` turns true, it ends after the calls that are in flight.
pub(super) async fn serve(
    stream: TcpStream,
    tls: Option<Tls>,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    // Without this the kernel would delay small answers. If a socket refuses it, it is closing anyway.
    stream.set_nodelay(true).ok();
    if let Some(tls) = tls {
        return Box::pin(serve_tls(stream, tls, router, closing)).await;
    }
    let is_http1 = tokio::select! {
        is_http1 = begins_as_http1(&stream) => is_http1,
        Ok(_) = closing.wait_for(|is_closed| *is_closed) => return,
    };
    serve_http(stream, is_http1, router, closing).await;
}

async fn serve_tls(
    stream: TcpStream,
    tls: Tls,
    router: Router,
    mut closing: watch::Receiver<bool>,
) {
    let accepted = tokio::select! {
        accepted = tls.accept(stream) => accepted,
        Ok(_) = closing.wait_for(|is_closed| *is_closed) => return,
    };
    // Of a handshake that has failed only the client has to know.
    if let Ok(stream) = accepted {
        let is_http1 = stream.get_ref().1.alpn_protocol() == Some(b"http/1.1");
        serve_http(stream, is_http1, router, closing).await;
    }
}

/// Whether what the client sends first can be nothing but HTTP/1.1. It stays there to be read.
async fn begins_as_http1(stream: &TcpStream) -> bool {
    let mut first = [0; PREFACE.len()];
    // An end and an error will be read again, where it is known what to do.
    let length = stream.peek(&mut first).await.unwrap_or(0);
    length == 0 || !PREFACE.starts_with(&first[..length])
}

/// Serves HTTP/1.1 as fast as it can be, and otherwise the version that the client turns out to speak.
async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    is_http1: bool,
    router: Router,
    closing: watch::Receiver<bool>,
) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let Ok(response) = router.call(request).await;
            // If the service returns an error, hyper sends nothing: it closes the connection, or resets the stream.
            let cut = response.extensions().get::<CutMark>().is_some();
            if cut { Err(Cut) } else { Ok(response) }
        }
    });
    let stream = TokioIo::new(stream);
    if is_http1 {
        let served = http1::Builder::new().serve_connection(stream, service);
        return finish(served, closing).await;
    }
    let either = auto::Builder::new(TokioExecutor::new());
    let served = either.serve_connection(stream, service);
    Box::pin(finish(served, closing)).await;
}

async fn finish(served: impl GracefulConnection, mut closing: watch::Receiver<bool>) {
    let mut served = std::pin::pin!(served);
    // How a connection ends does not affect the others, so errors are ignored.
    tokio::select! {
        _ = served.as_mut() => return,
        Ok(_) = closing.wait_for(|is_closed| *is_closed) => served.as_mut().graceful_shutdown(),
    }
    served.await.ok();
}
