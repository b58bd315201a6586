//! Tests of the whole quota.
