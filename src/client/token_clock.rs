//! The quota's clock, as the sign-in wants it: so that tokens age on the time that the campaign lives by.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    defender::sign_in::Time,
    quota::{Clock, Moment},
};

/// A [`Clock`] for the sign-in.
#[derive(Debug, Clone)]
pub struct SignInTime(pub Arc<dyn Clock>);

impl Time for SignInTime {
    fn now(&self) -> Duration {
        self.0.now().since(Moment::ZERO)
    }

    fn wall(&self) -> Timestamp {
        self.0.wall()
    }
}
