//! What makes the tenant's lists hard to read.

use serde::Deserialize;

/// How the list of actions changes while it is read. By default it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moving {
    /// How many scans of others are added after each page that was read. They are the newest, so they come first.
    pub arriving: u32,
    /// How many rows vanish from the list after each page that was read.
    pub vanishing: u32,
    /// Which rows vanish.
    pub vanish: Vanish,
}

/// Which rows vanish from the list of actions. They can still be fetched by their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vanish {
    /// The oldest, as when the service's retention time is over.
    #[default]
    Oldest,
    /// Random ones of others, so that the rows after them move up.
    Others,
}

/// A list that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endless {
    /// After the last row, pages are filled with made-up rows, which are always the same at the same position.
    New,
    /// Every page is the first page, whatever `$skip` says.
    Same,
}

/// An option of a listing that a service may not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListOption {
    /// `$count`
    Count,
    /// `$orderby`
    OrderBy,
}
