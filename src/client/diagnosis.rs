//! Checks a connection step by step, before anything depends on it.
//!
//! ```text
//!   configuration ─→ sign-in ─→ audience ─→ roles ─→ clock ─→ reachability ─→ list ─→ alerts
//!                       │ a token                     └──── one harmless call ────┘
//! ```
//!
//! A step that an earlier failure makes impossible is reported as skipped. All others are checked regardless.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    caller::is_page_of_scans,
    reply::{Class, Trouble, classify},
};
use crate::defender::{
    Reply,
    sign_in::{Claims, Need, SignInError, fit, format_skew},
};

/// The sign-in with a certificate refuses a clock that is further off than this.
const CLOCK_FAILS_S: u64 = 300;

/// A clock that is further off than this is not synchronised. The `Date` header has whole seconds, and the
/// answer's latency adds to the difference.
const CLOCK_WARNS_S: u64 = 30;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing is wrong.
    Ok,
    /// Some features will not work.
    Warning,
    /// No campaign can run.
    Failed,
    /// It could not be checked because an earlier step failed.
    Skipped,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was checked.
    pub step: &'static str,
    /// How it ended.
    pub state: State,
    /// What was found, and how to fix it if it failed.
    pub detail: String,
}

/// The steps so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Checkup {
    /// Whether no step failed.
    pub ok: bool,
    /// In the order in which they were checked.
    pub steps: Vec<Step>,
}

impl Checkup {
    /// No steps yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ok: true,
            steps: Vec::new(),
        }
    }

    /// Adds a step.
    pub fn add(&mut self, step: &'static str, state: State, detail: impl Into<String>) {
        self.ok &= state != State::Failed;
        self.steps.push(Step {
            step,
            state,
            detail: detail.into(),
        });
    }

    /// Adds a step that succeeded or failed, and returns whether it succeeded.
    pub fn judge<E: ToString>(&mut self, step: &'static str, found: Result<String, E>) -> bool {
        let (state, detail) = match found {
            Ok(detail) => (State::Ok, detail),
            Err(why) => (State::Failed, why.to_string()),
        };
        self.add(step, state, detail);
        state == State::Ok
    }

    /// Checks the token's own claims.
    pub fn token(&mut self, claims: Option<&Claims>, tenant: Option<&str>, resource: &str) {
        let Some(claims) = claims else {
            self.add("audience", State::Warning, fit::NO_JWT);
            self.add("roles", State::Skipped, "the token does not tell");
            return;
        };
        let fits = fit::tenant(claims, tenant).and_then(|()| fit::audience(claims, resource));
        let told = |claim: &Option<String>| claim.clone().unwrap_or_else(|| "not told".to_owned());
        self.judge(
            "audience",
            fits.map(|()| {
                format!(
                    "{}; tenant {}, application {}",
                    told(&claims.audience),
                    told(&claims.tenant),
                    told(&claims.application)
                )
            }),
        );
        let mut roles: Vec<_> = claims.roles.iter().chain(&claims.scopes).cloned().collect();
        roles.sort_unstable();
        match fit::roles(claims, Need::Scan) {
            Ok(None) => self.add("roles", State::Ok, roles.join(", ")),
            Ok(Some(warning)) => self.add("roles", State::Warning, warning),
            Err(SignInError(why)) => self.add("roles", State::Failed, why),
        }
    }

    /// Checks whether the token lets alerts be listed, which no campaign needs.
    pub fn alerts(&mut self, claims: Option<&Claims>) {
        match claims.map(|claims| fit::roles(claims, Need::Alerts)) {
            None => self.add("alerts", State::Skipped, "the token does not tell"),
            Some(Ok(_)) => self.add("alerts", State::Ok, "`fleetsweep findings` can list them"),
            Some(Err(SignInError(why))) => {
                let why = format!("only `fleetsweep findings` needs this: {why}");
                self.add("alerts", State::Skipped, why);
            }
        }
    }

    /// Checks the reply to one list call: the clock, where the reply came from, and what it says. `wall` is
    /// this computer's time when the reply came, `took` is how long that took, and `by` names the route
    /// (directly, or through a proxy).
    pub fn reply(
        &mut self,
        reply: &Reply,
        signed_in: bool,
        wall: Timestamp,
        took: Duration,
        by: &str,
    ) {
        match reply {
            Ok(answer) => self.clock(answer.date, wall),
            Err(_) => self.add("clock", State::Skipped, "no answer, so no Date header"),
        }
        let said = match classify(reply, is_page_of_scans) {
            Class::Own(said) => said,
            Class::NeverSent(trouble) | Class::Perhaps(trouble) => {
                self.unreached(&trouble, by);
                return;
            }
            Class::Unsendable(why) => {
                self.add("reachability", State::Failed, why);
                return;
            }
        };
        let ms = took.as_millis();
        self.add(
            "reachability",
            State::Ok,
            format!("answered in {ms} ms ({by})"),
        );
        let words = said.words();
        match said.status {
            _ if !signed_in => self.add("list", State::Skipped, "there is no token to list with"),
            200..300 => self.add("list", State::Ok, "scans can be listed"),
            401 => self.add(
                "list",
                State::Failed,
                format!("the service refuses the token (HTTP 401: {words}); if it names the account or a \
                    licence, a new token does not cure it"),
            ),
            // Roles have a step of their own, and a campaign can run without listing.
            403 => self.add("list", State::Warning, format!("the service forbids listing: {words}")),
            429 => self.add("list", State::Warning, format!("the quota for listing is spent just now: {words}")),
            status => self.add("list", State::Failed, format!("HTTP {status}: {words}; try again later")),
        }
    }

    fn unreached(&mut self, trouble: &Trouble, by: &str) {
        let cure = match trouble.obstacle {
            // The obstacle's message already says how to remove it.
            Some(_) => "",
            None => "; look at the network, HTTPS_PROXY, NO_PROXY and --ca-cert",
        };
        self.add(
            "reachability",
            State::Failed,
            format!("{trouble} ({by}){cure}"),
        );
        self.add("list", State::Skipped, "the API was not reached");
    }

    fn clock(&mut self, date: Option<Timestamp>, wall: Timestamp) {
        let Some(date) = date else {
            self.add("clock", State::Skipped, "the answer has no Date header");
            return;
        };
        let ahead = wall.as_second() - date.as_second();
        let off = ahead.unsigned_abs();
        if off <= CLOCK_WARNS_S {
            let detail = format!("within {CLOCK_WARNS_S} s of the service's");
            self.add("clock", State::Ok, detail);
            return;
        }
        let state = if off <= CLOCK_FAILS_S {
            State::Warning
        } else {
            State::Failed
        };
        let detail = format!(
            "this computer's clock is {} the service's: set it right (w32tm /resync, or timedatectl set-ntp \
             true); a certificate's sign-in fails from 5 min on",
            format_skew(ahead)
        );
        self.add("clock", state, detail);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::defender::{Answer, Lost};

    const WALL: Timestamp = Timestamp::constant(1_767_225_600, 0);

    fn states(reply: &Reply, signed_in: bool) -> Vec<State> {
        let mut checkup = Checkup::new();
        checkup.reply(
            reply,
            signed_in,
            WALL,
            Duration::from_millis(80),
            "directly",
        );
        checkup.steps.iter().map(|step| step.state).collect()
    }

    fn answer(status: u16, body: &'static str, ahead_s: i64) -> Answer {
        let date = WALL.as_second() - ahead_s;
        Answer {
            status,
            date: Some(Timestamp::from_second(date).unwrap()),
            retry_after: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    const FORBIDDEN: &str =
        r#"{"error":{"code":"Forbidden","message":"Missing application roles."}}"#;

    #[test]
    fn a_reply_is_judged_in_three_steps() {
        use State::{Failed, Ok as Fine, Skipped, Warning};
        let page = r#"{"value":[]}"#;
        for (reply, expected) in [
            (Ok(answer(200, page, 2)), [Fine, Fine, Fine]),
            (Ok(answer(200, page, -45)), [Warning, Fine, Fine]),
            (Ok(answer(200, page, 7200)), [Failed, Fine, Fine]),
            (Ok(answer(403, FORBIDDEN, 0)), [Fine, Fine, Warning]),
            (Ok(answer(401, FORBIDDEN, 0)), [Fine, Fine, Failed]),
            (Ok(answer(407, "<html>", 0)), [Fine, Failed, Skipped]),
            (Ok(answer(200, "<html>", 0)), [Fine, Failed, Skipped]),
            (
                Err(Lost::NotSent("no connection".into())),
                [Skipped, Failed, Skipped],
            ),
        ] {
            assert_eq!(states(&reply, true), expected, "{reply:?}");
        }
        assert_eq!(
            states(&Ok(answer(401, FORBIDDEN, 0)), false),
            [Fine, Fine, Skipped]
        );
    }

    #[test]
    fn a_token_that_says_nothing_is_a_warning_and_a_wrong_one_fails() {
        let mut checkup = Checkup::new();
        checkup.token(None, None, "r");
        assert!(checkup.ok);
        let claims = Claims {
            audience: Some("https://graph.microsoft.com".into()),
            ..Claims::default()
        };
        checkup.token(Some(&claims), None, "r");
        assert!(!checkup.ok);
        let states: Vec<_> = checkup.steps.iter().map(|step| step.state).collect();
        assert_eq!(
            states,
            [State::Warning, State::Skipped, State::Failed, State::Failed]
        );
    }
}
