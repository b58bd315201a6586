//! The tenant called directly, without HTTP, in virtual time.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::*;

mod alerts;
mod denials;
mod device;
mod faults;
mod health;
mod lists;
mod outages;
mod over_loopback;
mod quota;
mod scans;
mod scenarios;
mod shapes;
mod tls;

pub(crate) use over_loopback::{closed_port, over_loopback};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const BODY: &str = r#"{"Comment":"[fleetsweep:x:1] c","ScanType":"Quick"}"#;

fn start_request(machine: &str) -> Request {
    Request::post(
        &format!("/api/machines/{machine}/runAntiVirusScan"),
        "t",
        BODY,
    )
}

async fn call(tenant: &Arc<Tenant>, request: Request) -> Response {
    match tenant.handle(request).await {
        Served::Response(response) => response,
        other => panic!("no answer: {other:?}"),
    }
}

async fn start(tenant: &Arc<Tenant>, machine: &str) -> (u16, Value) {
    read(&call(tenant, start_request(machine)).await)
}

async fn get(tenant: &Arc<Tenant>, target: &str) -> (u16, Value) {
    read(&call(tenant, Request::get(target, "t")).await)
}

fn read(response: &Response) -> (u16, Value) {
    (
        response.status,
        serde_json::from_slice(&response.body).unwrap_or(Value::Null),
    )
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (
        answer.0,
        answer.1["error"]["code"].as_str().unwrap_or_default(),
    )
}
