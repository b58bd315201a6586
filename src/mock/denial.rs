//! Starts that the tenant refuses although their calls are valid.

use std::time::Duration;

use super::{
    config::{ForbidWords, MockConfig},
    reply::Error,
};

/// Refuses every start from [`MockConfig::forbid_starts_from`] on.
pub(super) fn of_everybody(config: &MockConfig, now: Duration) -> Result<(), Error> {
    if config.forbid_starts_from.is_none_or(|from| now < from) {
        return Ok(());
    }
    let words = match config.forbid_words {
        ForbidWords::Roles => {
            "Missing application roles. API required roles: Machine.Scan, application roles: ."
        }
        ForbidWords::Plain => "The application is not permitted to perform this action.",
    };
    Err(Error::new(403, "Forbidden", words))
}

/// Refuses starts on the machines of [`MockConfig::poison`] and [`MockConfig::restricted`].
pub(super) fn of_machine(config: &MockConfig, machine: &str) -> Result<(), Error> {
    let is_among = |ids: &[String]| ids.iter().any(|id| id.eq_ignore_ascii_case(machine));
    if is_among(&config.poison) {
        let text = "An internal error has occurred";
        return Err(Error::new(500, "InternalServerError", text));
    }
    if is_among(&config.restricted) {
        let text = "The action is not permitted on this device.";
        return Err(Error::new(403, "Forbidden", text));
    }
    Ok(())
}
