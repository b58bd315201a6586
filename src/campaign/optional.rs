//! Waiting for a future that may not be there, in a `select!`.

/// The future's output. Without a future, this never completes.
pub(super) async fn optional<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => std::future::pending().await,
    }
}
