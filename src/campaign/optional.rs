//! Waiting for something that may not be there, in a `select!`.

/// The future's output; without a future, one that never comes.
pub(super) async fn optional<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => std::future::pending().await,
    }
}
