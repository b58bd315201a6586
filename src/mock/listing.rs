//! Lists as clients should be able to survive them: short pages, rows that move, lists without an end.

/// How the list of actions moves while it is read. The default is a list that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moving {
    /// So many scans of others come in after each page that was read: the newest, hence at the top of the list.
    pub arriving: u32,
    /// So many rows are gone from the list after each page that was read.
    pub vanishing: u32,
    /// Which rows those are.
    pub vanish: Vanish,
}

/// Which rows vanish from the list of actions. A single action can still be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Vanish {
    /// The oldest, whose time the service keeps no longer.
    #[default]
    Oldest,
    /// Any of other people's, so that rows further down move up.
    Others,
}

/// A list that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endless {
    /// Where the rows are at an end, pages are filled up with others that nobody has seen yet.
    New,
    /// Every page is the first one, whatever `$skip` says.
    Same,
}

/// An option of a listing that a service may not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOption {
    /// `$count`
    Count,
    /// `$orderby`
    OrderBy,
}
