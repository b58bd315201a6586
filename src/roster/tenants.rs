//! Finds rows of several tenants, if the tenant of the sign-in is not known.

use super::{error::RosterError, row_error::excerpt};

/// The first two different tenants, each with the line of its first row.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    first: Option<(String, u64)>,
    other: Option<(String, u64)>,
}

impl Tenants {
    pub(super) fn add(&mut self, tenant: &str, line: u64) {
        let Some((first, _)) = &self.first else {
            self.first = Some((tenant.to_owned(), line));
            return;
        };
        if self.other.is_none() && !first.eq_ignore_ascii_case(tenant) {
            self.other = Some((tenant.to_owned(), line));
        }
    }

    /// The tenant, if there is only one so far.
    pub(super) fn only(&self) -> Option<&str> {
        let first = self.first.as_ref().filter(|_| self.other.is_none());
        first.map(|(tenant, _)| tenant.as_str())
    }

    pub(super) const fn are_many(&self) -> bool {
        self.other.is_some()
    }

    pub(super) fn refusal(&self, file: &str) -> RosterError {
        let named = |tenant: &Option<(String, u64)>| {
            let (tenant, line) = tenant.clone().unwrap_or_default();
            (excerpt(&tenant), line)
        };
        RosterError::Tenants {
            file: file.to_owned(),
            first: named(&self.first),
            other: named(&self.other),
        }
    }
}
