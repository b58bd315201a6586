//! Lists, as pages: also short pages, lists that change while they are read, and lists without an end.

use std::{cmp::Ordering, fmt::Display, ops::Range, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{
    config::{Endless, ListOption, Moving, Vanish, within},
    filter::{Filter, Row},
    machine::{Machine, random_id, stable},
    query::{LARGEST_PAGE, Paging},
    reply::{Error, Reply},
    request::{Kind, Request},
    scans::{Action, Filtered, LIST_CONTEXT, Status},
    tenant::{State, Tenant},
};

pub(super) const MACHINES_CONTEXT: &str =
    "https://api.security.microsoft.com/api/$metadata#Machines";

/// A page of a listing.
#[derive(Serialize)]
pub(super) struct Page<'a, T> {
    #[serde(rename = "@odata.context")]
    pub(super) context: &'a str,
    #[serde(rename = "@odata.count", skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<usize>,
    pub(super) value: Vec<T>,
}

/// What is to be listed, and how.
#[derive(Debug)]
pub(super) struct Listing {
    filter: Option<Filter>,
    order: Option<Order>,
    /// The fields that each row shows, in lower case; all if there are none.
    select: Vec<String>,
    counted: bool,
    /// How many rows come before the page.
    skip: usize,
    /// How many rows the page holds at most.
    room: usize,
    endless: Option<Endless>,
}

impl Tenant {
    /// A page of the actions. Afterwards the list may change.
    pub(super) fn list(
        &self,
        state: &mut State,
        query: &str,
        machine: Option<&str>,
        now: Duration,
    ) -> Result<Reply, Error> {
        let listing = self.listing::<Filtered<'_>>(query, Kind::List, LARGEST_PAGE)?;
        let view = self.view(now);
        let filtered = |action| Filtered(action, view);
        let listed = state.scans.listed(now);
        let listed =
            listed.filter(|action| machine.is_none_or(|machine| *action.machine == *machine));
        // The newest come first where no order is asked for.
        let rows = listing.admitted(listed.map(filtered));
        let made_up: Vec<_> = listing
            .beyond(rows.len())
            .map(|n| self.made_up(n, now))
            .collect();
        let item = |Filtered(action, view)| view.item(action);
        let reply = listing.page(LIST_CONTEXT, rows, made_up.iter().map(filtered), item);
        self.move_on(state, now);
        Ok(reply)
    }

    /// A page of the inventory.
    pub(super) fn machines(&self, state: &State, request: &Request) -> Result<Reply, Error> {
        let listing = self.listing::<&Machine>(&request.query, Kind::Machines, LARGEST_PAGE)?;
        let inventory = &state.inventory;
        let now = self.clock.now();
        let moving = self.config.coming.as_ref().map(|_| {
            let seen = inventory.iter().map(|machine| self.as_seen(machine, now));
            seen.collect::<Vec<_>>()
        });
        let inventory = moving.as_ref().unwrap_or(inventory);
        let rows = listing.admitted(inventory);
        let numbers = listing.beyond(rows.len());
        let made_up: Vec<_> = numbers
            .map(|n| Machine::number(inventory.len() + n, &self.config, &self.clock))
            .collect();
        let reply = listing.page(MACHINES_CONTEXT, rows, made_up.iter(), |machine| machine);
        if self.config.empty_inventory_is_404 && reply.body.ends_with(b"[]}") {
            return Err(Error::new(
                404,
                "ResourceNotFound",
                "No machines were found",
            ));
        }
        Ok(reply)
    }

    /// Reads a query, and refuses the options that the configured service does not support. A page holds `usual` rows
    /// if the query does not say how many.
    pub(super) fn listing<R: Row>(
        &self,
        query: &str,
        kind: Kind,
        usual: usize,
    ) -> Result<Listing, Error> {
        let paging = Paging::parse(query, usual).map_err(unreadable)?;
        let carried = [
            (ListOption::Count, "$count", paging.count.is_some()),
            (ListOption::OrderBy, "$orderby", paging.order.is_some()),
        ];
        for (option, _, _) in carried.iter().filter(|(_, _, is_there)| *is_there) {
            self.recorder.carried_option(kind, *option);
        }
        for (option, name, is_there) in carried {
            if is_there && self.config.refuses.contains(&option) {
                let error = unreadable(format!("Query option '{name}' is not allowed"));
                return Err(error.of_this_tenant());
            }
        }
        let filter = paging.filter.as_deref().map(Filter::parse::<R>).transpose();
        let endless = self.config.endless;
        let limit = self.config.page_limit.map_or(usize::MAX, |l| l as usize);
        Ok(Listing {
            filter: filter.map_err(unreadable)?,
            order: paging.order.as_deref().map(Order::parse::<R>).transpose()?,
            select: paging.select,
            counted: paging.count == Some(true),
            skip: if endless == Some(Endless::Same) {
                0
            } else {
                paging.skip
            },
            room: paging.top.min(limit),
            endless,
        })
    }

    /// The n-th made-up action, which only an endless list shows.
    fn made_up(&self, number: usize, now: Duration) -> Action {
        let mut rng = stable(self.config.seed, &format!("action {number}"));
        self.stranger(&mut rng, now)
    }

    /// Changes the list as configured.
    fn move_on(&self, state: &mut State, now: Duration) {
        let State {
            dice: rng, scans, ..
        } = state;
        let Moving {
            arriving,
            vanishing,
            vanish,
        } = self.config.moving;
        for _ in 0..vanishing {
            let of_others = vanish == Vanish::Others;
            let mut listed = scans.listed_mut(now).filter(|a| a.foreign || !of_others);
            let gone = match vanish {
                Vanish::Oldest => listed.min_by_key(|action| action.created),
                Vanish::Others => {
                    let mut others: Vec<_> = listed.by_ref().collect();
                    let any = (!others.is_empty()).then(|| rng.usize(..others.len()));
                    any.map(|any| others.swap_remove(any))
                }
            };
            if let Some(gone) = gone {
                gone.vanished = true;
            }
        }
        for _ in 0..arriving {
            let action = self.stranger(rng, now);
            scans.add(action);
        }
    }

    /// Somebody else's scan on an unknown machine, begun now.
    fn stranger(&self, rng: &mut fastrand::Rng, now: Duration) -> Action {
        Action {
            id: rng.u128(..),
            machine: random_id(rng).into(),
            comment: "Scan of another team".into(),
            full: false,
            foreign: true,
            created: self.clock.wall(now),
            added: now,
            listed_from: now,
            begins: now,
            ends: now.saturating_add(within(rng, &self.config.scan_time)),
            end: Status::Succeeded,
            cancelled: None,
            vanished: false,
        }
    }
}

impl Listing {
    fn admits(&self, row: &impl Row) -> bool {
        self.filter.as_ref().is_none_or(|f| f.admits(row))
    }

    /// The rows that pass the filter, in the order that is asked for.
    pub(super) fn admitted<R: Row>(&self, rows: impl IntoIterator<Item = R>) -> Vec<R> {
        let mut rows: Vec<_> = rows.into_iter().filter(|row| self.admits(row)).collect();
        if let Some(order) = &self.order {
            rows.sort_by(|a, b| order.compare(a, b));
        }
        rows
    }

    /// The fields of an item that the query selects.
    fn selected(&self, item: &impl Serialize) -> Value {
        let mut item = serde_json::to_value(item).unwrap_or_default();
        if let Value::Object(fields) = &mut item
            && !self.select.is_empty()
        {
            fields.retain(|name, _| self.select.contains(&name.to_ascii_lowercase()));
        }
        item
    }

    /// The numbers, from 0, of the made-up rows that the page may show after the list's `own` rows.
    pub(super) fn beyond(&self, own: usize) -> Range<usize> {
        if self.endless != Some(Endless::New) {
            return 0..0;
        }
        let end = self.skip.saturating_add(self.room);
        self.skip.saturating_sub(own)..end.saturating_sub(own)
    }

    /// The page, from the admitted rows and then the made-up ones.
    pub(super) fn page<R: Row, T: Serialize>(
        &self,
        context: &str,
        rows: Vec<R>,
        made_up: impl Iterator<Item = R>,
        item: impl Fn(R) -> T,
    ) -> Reply {
        let own = rows.len();
        let made_up = made_up.filter(|row| self.admits(row));
        let shown = rows.into_iter().skip(self.skip).chain(made_up);
        let shown = shown.take(self.room).map(item);
        if self.select.is_empty() {
            self.reply(context, own, shown.collect())
        } else {
            let selected = shown.map(|item| self.selected(&item));
            self.reply(context, own, selected.collect())
        }
    }

    fn reply<T: Serialize>(&self, context: &str, own: usize, value: Vec<T>) -> Reply {
        let count = match self.endless {
            // There is always one more.
            Some(Endless::New) => own.max(self.skip.saturating_add(value.len() + 1)),
            _ => own,
        };
        let count = self.counted.then_some(count);
        Reply::json(
            200,
            &Page {
                context,
                count,
                value,
            },
        )
    }
}

fn unreadable(message: impl Display) -> Error {
    Error::new(400, "ODataError", message.to_string())
}

/// `$orderby`: a field, and which way.
#[derive(Debug)]
struct Order {
    field: &'static str,
    descends: bool,
}

impl Order {
    fn parse<R: Row>(text: &str) -> Result<Self, Error> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let field = R::FIELDS
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name));
        let descends = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => Some(false),
            Some("desc") => Some(true),
            Some(_) => None,
        };
        match (field, descends, words.next()) {
            (Some(&(field, _)), Some(descends), None) => Ok(Self { field, descends }),
            _ => Err(unreadable(format!("Cannot order by '{text}'"))),
        }
    }

    fn compare(&self, a: &impl Row, b: &impl Row) -> Ordering {
        let order = a.value(self.field).cmp(&b.value(self.field));
        if self.descends {
            order.reverse()
        } else {
            order
        }
    }
}
