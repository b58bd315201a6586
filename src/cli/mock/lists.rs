//! The mock's options for lists that are hard to read.

use clap::{Args, ValueEnum};

use crate::mock::{Endless, ListOption, MockConfig, Moving, Vanish};

/// How the mock lists actions and machines.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// The most rows in a page, whatever $top says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub page_limit: Option<u32>,
    /// How many scans by others are added at the top of the list after each page
    #[arg(long, value_name = "N")]
    pub rows_arriving: Option<u32>,
    /// How many scans disappear from the list after each page
    #[arg(long, value_name = "N")]
    pub rows_vanishing: Option<u32>,
    /// Which scans disappear [default: oldest]
    #[arg(long, value_enum, requires = "rows_vanishing")]
    pub vanish: Option<VanishArg>,
    /// Lists have no end
    #[arg(long, value_enum)]
    pub endless: Option<EndlessArg>,
    /// A query option that is answered with 400, repeatable
    #[arg(long, value_enum, value_name = "OPTION")]
    pub refuse: Vec<ListOptionArg>,
}

impl ListArgs {
    /// Copies the options into the mock's configuration.
    pub(super) fn apply_to(self, config: &mut MockConfig) {
        config.page_limit = self.page_limit.or(config.page_limit);
        let Moving {
            arriving,
            vanishing,
            vanish,
        } = &mut config.moving;
        *arriving = self.rows_arriving.unwrap_or(*arriving);
        *vanishing = self.rows_vanishing.unwrap_or(*vanishing);
        *vanish = self.vanish.map_or(*vanish, |vanish| match vanish {
            VanishArg::Oldest => Vanish::Oldest,
            VanishArg::Others => Vanish::Others,
        });
        let endless = self.endless.map(|endless| match endless {
            EndlessArg::New => Endless::New,
            EndlessArg::Same => Endless::Same,
        });
        config.endless = endless.or(config.endless);
        let refused = self.refuse.iter().map(|option| match option {
            ListOptionArg::Count => ListOption::Count,
            ListOptionArg::Orderby => ListOption::OrderBy,
        });
        config.refuses.extend(refused);
    }
}

/// Which scans disappear from the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VanishArg {
    /// The oldest
    Oldest,
    /// Any scans by others
    Others,
}

/// How a list has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EndlessArg {
    /// Each page has new rows
    New,
    /// Each page is the first one
    Same,
}

/// A query option of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListOptionArg {
    /// $count
    Count,
    /// $orderby
    Orderby,
}
