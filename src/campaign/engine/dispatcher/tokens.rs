//! What a 401 changes: a newer token is fetched, or the campaign stops.

use super::Dispatcher;
use crate::campaign::stop::StopReason;

/// What is known of the tokens by their answers.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The newest one that the service has taken.
    pub(super) accepted: u64,
    /// The newest one that was refused and given up.
    pub(super) refused: u64,
    /// A newer one than [`refused`](Self::refused) is being fetched.
    pub(super) renewing: bool,
    /// What the service said when it refused the last one.
    pub(super) words: String,
}

impl Dispatcher {
    /// A 401. The first for a token fetches a newer one; a second, by a token fetched after the first and never taken,
    /// stops the campaign; so does a second for the same target (`again`), whatever the newer token is good for elsewhere.
    pub(super) fn unauthorized(&mut self, token: u64, again: bool, message: &str) {
        if token <= self.tokens.refused && !again {
            return;
        }
        if again || (self.tokens.refused > 0 && token > self.tokens.accepted) {
            self.stop(StopReason::Tenant(format!(
                "the service refuses the token, a new one too (HTTP 401: {message}); if it names the account or a licence, \
                 a new token does not cure it"
            )));
        } else {
            self.tokens.refused = token;
            self.tokens.renewing = true;
            message.clone_into(&mut self.tokens.words);
        }
    }

    /// A newer token has come, or there is none.
    pub fn renewed(&mut self, result: Result<u64, String>) {
        self.tokens.renewing = false;
        if let Err(why) = result {
            let words = &self.tokens.words;
            self.stop(StopReason::Tenant(format!(
                "the service refuses the token (HTTP 401: {words}); {why}"
            )));
        }
    }

    /// Which token was refused, if a newer one is wanted.
    #[must_use]
    pub(crate) fn wants_renewal(&self) -> Option<u64> {
        (self.tokens.renewing && !self.is_stopping()).then_some(self.tokens.refused)
    }
}
