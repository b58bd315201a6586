//! The machine actions: at most one active scan on each machine, from `Pending` through `InProgress` to its end.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    clock::{ServerClock, stamp},
    config::Comments,
    filter::{Row, Type, Value},
    machine::dns_name,
    reply::{guid, read_guid},
};

/// The actions, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Scans {
    actions: VecDeque<Action>,
    /// How many actions before them are forgotten.
    forgotten: usize,
    by_id: HashMap<u128, usize>,
    last_of: HashMap<Arc<str>, usize>,
}

/// An action's state (MDE-API.md, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    InProgress,
    Succeeded,
    Failed,
    TimeOut,
    Cancelled,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::TimeOut => "TimeOut",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// From when to when a scan is under way, `Pending` included, in time since the tenant's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanSpan {
    /// The machine, in lower case.
    pub machine: Arc<str>,
    /// When it was created.
    pub began: Duration,
    /// When it begins to run, or would if it were not over before: until then it is `Pending`.
    pub begins: Duration,
    /// When it ends, or has ended.
    pub ends: Duration,
}

/// One scan on one machine. Durations are times since the tenant's start; what happened before has only a wall time.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) id: u128,
    pub(super) machine: Arc<str>,
    pub(super) comment: Arc<str>,
    /// Whether it is a full scan; otherwise it is a quick one.
    pub(super) full: bool,
    /// Whether it is somebody else's, so that no call has started it.
    pub(super) foreign: bool,
    pub(super) created: Timestamp,
    /// When it was added.
    pub(super) added: Duration,
    pub(super) listed_from: Duration,
    pub(super) begins: Duration,
    pub(super) ends: Duration,
    pub(super) end: Status,
    pub(super) cancelled: Option<(Duration, String)>,
    /// Whether it has vanished from lists.
    pub(super) vanished: bool,
}

impl Action {
    pub(super) fn status(&self, now: Duration) -> Status {
        if self.cancelled.is_some() {
            Status::Cancelled
        } else if now >= self.ends {
            self.end
        } else if now >= self.begins {
            Status::InProgress
        } else {
            Status::Pending
        }
    }

    /// From when to when it is under way, as things stand.
    pub(super) fn span(&self) -> ScanSpan {
        let ends = self.cancelled.as_ref().map_or(self.ends, |(at, _)| *at);
        ScanSpan {
            machine: Arc::clone(&self.machine),
            began: self.added,
            begins: self.begins,
            ends,
        }
    }

    pub(super) fn is_active(&self, now: Duration) -> bool {
        matches!(self.status(now), Status::Pending | Status::InProgress)
    }

    fn is_listed(&self, now: Duration) -> bool {
        self.listed_from <= now && !self.vanished
    }

    /// When its status last changed.
    pub(super) fn updated(&self, now: Duration, clock: &ServerClock) -> Timestamp {
        match (&self.cancelled, self.status(now)) {
            (Some((at, _)), _) => clock.wall(*at),
            (None, Status::Pending) => self.created,
            (None, Status::InProgress) => clock.wall(self.begins),
            (None, _) => clock.wall(self.ends),
        }
    }
}

impl Scans {
    pub(super) fn add(&mut self, action: Action) -> usize {
        let index = self.forgotten + self.actions.len();
        self.by_id.insert(action.id, index);
        self.last_of.insert(Arc::clone(&action.machine), index);
        self.actions.push_back(action);
        index
    }

    /// Forgets the oldest actions, as long as they had ended by then.
    pub(super) fn forget_before(&mut self, then: Duration, mut last_look: impl FnMut(&Action)) {
        while let Some(oldest) = self
            .actions
            .pop_front_if(|oldest| !oldest.is_active(then) && oldest.ends <= then)
        {
            last_look(&oldest);
            self.by_id.remove(&oldest.id);
            if self.last_of.get(&oldest.machine) == Some(&self.forgotten) {
                self.last_of.remove(&oldest.machine);
            }
            self.forgotten += 1;
        }
    }

    /// The scans that calls have started, in the order in which they were.
    pub(super) fn spans(&self) -> Vec<ScanSpan> {
        let started = self.actions.iter().filter(|action| !action.foreign);
        started.map(Action::span).collect()
    }

    /// Where the action with this index is now.
    fn place(&self, index: usize) -> Option<usize> {
        index.checked_sub(self.forgotten)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Action> {
        let place = self.place(index)?;
        self.actions.get_mut(place)
    }

    /// All actions, in the order in which they were added.
    pub(super) fn all(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Action> {
        self.actions.get(self.place(index)?)
    }

    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Action> {
        let index = *self.by_id.get(&read_guid(id)?)?;
        let place = self.place(index)?;
        self.actions.get_mut(place)
    }

    /// The machine's latest action, whether it has ended or not.
    pub(super) fn last_of(&self, machine: &str) -> Option<(usize, &Action)> {
        let index = *self.last_of.get(machine)?;
        Some((index, self.get(index)?))
    }

    /// The actions that listings show now, newest first.
    pub(super) fn listed(&self, now: Duration) -> impl Iterator<Item = &Action> {
        let mut newest_first: Vec<_> = self
            .actions
            .iter()
            .rev()
            .filter(|action| action.is_listed(now))
            .collect();
        // They are nearly in order already: only somebody else's actions can be older than the time they were added.
        newest_first.sort_by_key(|action| std::cmp::Reverse(action.created));
        newest_first.into_iter()
    }

    /// The actions that listings show now, in the order in which they were added.
    pub(super) fn listed_mut(&mut self, now: Duration) -> impl Iterator<Item = &mut Action> {
        let all = self.actions.iter_mut();
        all.filter(move |action| action.is_listed(now))
    }
}

/// What an action's JSON depends on besides the action.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) now: Duration,
    pub(super) clock: &'a ServerClock,
    pub(super) comments: Comments,
    /// The application's name, which is the requestor of its actions.
    pub(super) requestor: &'a str,
    /// What follows the host in a machine's name.
    pub(super) domain: &'a str,
}

const CONTEXT: &str = "https://api.security.microsoft.com/api/$metadata#MachineActions/$entity";
pub(super) const LIST_CONTEXT: &str =
    "https://api.security.microsoft.com/api/$metadata#MachineActions";
const FOREIGN_REQUESTOR: &str = "analyst@contoso.com";

impl<'a> View<'a> {
    /// An action as a body of its own.
    pub(super) fn single(self, action: &'a Action) -> Entity<'a> {
        Entity {
            context: Some(CONTEXT),
            ..self.item(action)
        }
    }

    /// An action as an item of a list.
    pub(super) fn item(self, action: &'a Action) -> Entity<'a> {
        let comment = &*action.comment;
        let cancelled = action.cancelled.as_ref();
        Entity {
            context: None,
            id: guid(action.id),
            kind: "RunAntiVirusScan",
            title: None,
            requestor: self.requestor_of(action),
            requestor_comment: match self.comments {
                Comments::Whole => Some(comment),
                Comments::Truncated(length) => {
                    let end = comment
                        .char_indices()
                        .nth(length)
                        .map_or(comment.len(), |(at, _)| at);
                    Some(&comment[..end])
                }
                Comments::Null => None,
            },
            status: action.status(self.now).name(),
            machine_id: &action.machine,
            computer_dns_name: dns_name(&action.machine, self.domain),
            creation_date_time_utc: stamp(action.created),
            last_update_date_time_utc: stamp(action.updated(self.now, self.clock)),
            cancellation_requestor: cancelled.map(|_| self.requestor),
            cancellation_comment: cancelled.map(|(_, comment)| comment.as_str()),
            cancellation_date_time_utc: cancelled.map(|(at, _)| stamp(self.clock.wall(*at))),
            error_h_result: 0,
            scope: None,
            external_id: None,
            request_source: if action.foreign {
                "Portal"
            } else {
                "PublicApi"
            },
            related_file_info: None,
            commands: [],
            troubleshoot_info: None,
        }
    }

    fn requestor_of(self, action: &Action) -> &'a str {
        if action.foreign {
            FOREIGN_REQUESTOR
        } else {
            self.requestor
        }
    }
}

/// An action as it is sent: 20 keys in the service's order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entity<'a> {
    #[serde(rename = "@odata.context", skip_serializing_if = "Option::is_none")]
    context: Option<&'static str>,
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    title: Option<()>,
    requestor: &'a str,
    requestor_comment: Option<&'a str>,
    status: &'static str,
    machine_id: &'a str,
    computer_dns_name: String,
    creation_date_time_utc: String,
    last_update_date_time_utc: String,
    cancellation_requestor: Option<&'a str>,
    cancellation_comment: Option<&'a str>,
    cancellation_date_time_utc: Option<String>,
    #[serde(rename = "errorHResult")]
    error_h_result: i32,
    scope: Option<()>,
    external_id: Option<()>,
    request_source: &'static str,
    related_file_info: Option<()>,
    commands: [(); 0],
    troubleshoot_info: Option<()>,
}

/// An action as a filter sees it.
pub(super) struct Filtered<'a>(pub(super) &'a Action, pub(super) View<'a>);

impl Row for Filtered<'_> {
    const FIELDS: &'static [(&'static str, Type)] = &[
        ("id", Type::Text),
        ("status", Type::Text),
        ("machineId", Type::Text),
        ("type", Type::Text),
        ("requestor", Type::Text),
        ("creationDateTimeUtc", Type::Time),
    ];

    fn value(&self, field: &str) -> Value<'_> {
        let Self(action, view) = self;
        let text = |text| Value::Text(Cow::Borrowed(text));
        match field {
            "id" => Value::Text(Cow::Owned(guid(action.id))),
            "status" => text(action.status(view.now).name()),
            "machineId" => text(&action.machine),
            "type" => text("RunAntiVirusScan"),
            "requestor" => text(view.requestor_of(action)),
            "creationDateTimeUtc" => Value::Time(action.created),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests;
