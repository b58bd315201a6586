//! A call as an HTTP request: method, URL and body, without the token.

use std::fmt::Display;

use jiff::Timestamp;
use reqwest::{Method, Url};

use super::{ApiBase, Call, Order, wire};

/// A call as an HTTP request, without the token.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The address, with its query.
    pub url: Url,
    /// The body, which is JSON, of a POST.
    pub body: Option<Vec<u8>>,
}

impl HttpRequest {
    /// The request for this call to the API at this address. `None` if the id is nothing that a URL can carry.
    #[must_use]
    pub fn of(call: &Call, base: &ApiBase) -> Option<Self> {
        let get = |path: &[&str], query: &[(&str, String)]| {
            Some(Self {
                method: Method::GET,
                url: base.at(path, query)?,
                body: None,
            })
        };
        let post = |path: &[&str], body: serde_json::Result<Vec<u8>>| {
            Some(Self {
                method: Method::POST,
                url: base.at(path, &[])?,
                body: Some(body.ok()?),
            })
        };
        match call {
            Call::StartScan {
                machine,
                scan_type,
                comment,
            } => {
                let body = wire::StartScan {
                    comment: comment.into(),
                    scan_type: (*scan_type).into(),
                };
                let path = ["api", "machines", machine, "runAntiVirusScan"];
                post(&path, serde_json::to_vec(&body))
            }
            Call::ListScans {
                since,
                skip,
                top,
                order,
            } => {
                let query = page_query(Some(scans_since(*since)), *top, *skip, *order);
                get(&["api", "machineactions"], &query)
            }
            Call::GetAction { id } => get(&["api", "machineactions", id], &[]),
            Call::CancelAction { id, comment } => {
                let body = wire::Cancel {
                    comment: comment.into(),
                };
                let path = ["api", "machineactions", id, "cancel"];
                post(&path, serde_json::to_vec(&body))
            }
            Call::Machines {
                filter,
                skip,
                top,
                order,
            } => {
                let query = page_query(filter.clone(), *top, *skip, *order);
                get(&["api", "machines"], &query)
            }
            Call::Alerts {
                since,
                skip,
                top,
                order,
            } => {
                let filter = format!("alertCreationTime ge {}", whole_seconds(*since));
                let query = page_query(Some(filter), *top, *skip, *order);
                get(&["api", "alerts"], &query)
            }
            Call::DeviceAvInfo { skip, top, order } => get(
                &["api", "deviceavinfo"],
                &page_query(None, *top, *skip, *order),
            ),
        }
    }
}

fn page_query(
    filter: Option<String>,
    top: u32,
    skip: u32,
    order: Order,
) -> Vec<(&'static str, String)> {
    let mut query = Vec::with_capacity(5);
    query.extend(filter.map(|filter| ("$filter", filter)));
    query.push(("$top", top.to_string()));
    query.push(("$skip", skip.to_string()));
    if order.count {
        query.push(("$count", "true".to_owned()));
    }
    if order.newest_first {
        query.push(("$orderby", "creationDateTimeUtc desc".to_owned()));
    }
    query
}

/// The filter by type and creation time. It must not use the status, since a change of status would then move rows
/// between pages.
fn scans_since(since: Timestamp) -> String {
    format!(
        "type eq 'RunAntiVirusScan' and creationDateTimeUtc ge {}",
        whole_seconds(since)
    )
}

/// A time of a filter, rounded down to whole seconds, so that nothing is missed.
fn whole_seconds(time: Timestamp) -> impl Display {
    time.strftime("%Y-%m-%dT%H:%M:%SZ")
}
