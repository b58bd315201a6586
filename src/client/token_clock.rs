//! Gives the quota's clock to the sign-in, so that tokens age by the same time as everything else.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    defender::sign_in::Time,
    quota::{Clock, Moment},
};

/// A [`Clock`] that the sign-in can use.
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
