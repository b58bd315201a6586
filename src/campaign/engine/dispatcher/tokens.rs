//! What a 401 changes: a newer token is fetched, or the campaign stops.

use super::Dispatcher;
use crate::campaign::stop::StopReason;

/// What the answers say about the tokens, by serial number.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The newest token that the service has accepted.
    pub(super) accepted: u64,
    /// The newest token that was refused and replaced.
    pub(super) refused: u64,
    /// Whether a newer token than [`refused`](Self::refused) is being fetched.
    pub(super) renewing: bool,
    /// The message of the last refusal.
    pub(super) words: String,
}

impl Dispatcher {
    /// A 401. The first one for a token fetches a newer token. The campaign stops if a token that was fetched
    /// since is refused before it was ever accepted, or if the same target is refused `again` with a newer
    /// token, even if that token is accepted elsewhere.
    pub(super) fn unauthorized(&mut self, token: u64, again: bool, message: &str) {
        if token <= self.tokens.refused && !again {
            return;
        }
        if again || (self.tokens.refused > 0 && token > self.tokens.accepted) {
            self.stop(StopReason::Tenant(format!(
                "the service refuses the token, a new one too (HTTP 401: {message}); if it names the account or \
                 a licence, a new token does not cure it"
            )));
        } else {
            self.tokens.refused = token;
            self.tokens.renewing = true;
            message.clone_into(&mut self.tokens.words);
        }
    }

    /// Takes in the result of the renewal: a newer token's serial number, or why there is none.
    pub fn renewed(&mut self, result: Result<u64, String>) {
        self.tokens.renewing = false;
        if let Err(why) = result {
            let words = &self.tokens.words;
            self.stop(StopReason::Tenant(format!(
                "the service refuses the token (HTTP 401: {words}); {why}"
            )));
        }
    }

    /// The token that was refused, if a newer one is wanted.
    #[must_use]
    pub(crate) fn wants_renewal(&self) -> Option<u64> {
        (self.tokens.renewing && !self.is_stopping()).then_some(self.tokens.refused)
    }
}
