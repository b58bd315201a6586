//! The tenant, asked directly or over HTTP on loopback.

use super::*;

/// Either way to the tenant, and who hears of each start.
pub(super) struct Client {
    way: Way,
    sent_to: Arc<Mutex<Vec<String>>>,
}

pub(super) enum Way {
    Direct(Arc<Tenant>, Duration),
    Http(HttpDefender),
}

impl Client {
    pub(super) async fn new(rig: &Rig, tenant: Arc<Tenant>) -> Self {
        Self {
            way: Way::new(rig, tenant).await,
            sent_to: Arc::clone(&rig.sent_to),
        }
    }

    /// The tenant itself, which nobody listens to.
    pub(super) fn direct(tenant: Arc<Tenant>, timeout: Duration) -> Self {
        Self {
            way: Way::Direct(tenant, timeout),
            sent_to: Arc::default(),
        }
    }
}

impl Way {
    async fn new(rig: &Rig, tenant: Arc<Tenant>) -> Self {
        if !rig.http {
            return Self::Direct(tenant, rig.timeout);
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(mock::serve(listener, tenant, std::future::pending()));
        let options = HttpOptions {
            base: ApiBase::parse(&base).unwrap(),
            request_timeout: rig.timeout,
            workers: 100,
            network: fleetsweep::defender::Network::default(),
        };
        Self::Http(HttpDefender::new(options).unwrap())
    }
}

impl Defender for Client {
    async fn call(&self, call: &Call, token: &Token) -> Reply {
        if let Call::StartScan { machine, .. } = call {
            self.sent_to.lock().unwrap().push(machine.clone());
        }
        match &self.way {
            Way::Http(client) => client.call(call, token).await,
            Way::Direct(tenant, timeout) => {
                let request = request(call, token.secret.expose_secret());
                // The tenant goes on with a call whatever becomes of its caller.
                let tenant = Arc::clone(tenant);
                let handled = tokio::spawn(async move { tenant.handle(request).await });
                match tokio::time::timeout(*timeout, handled)
                    .await
                    .map(Result::unwrap)
                {
                    Err(_) => Err(Lost::TimedOut(*timeout)),
                    Ok(Served::Refused) => Err(Lost::NotSent("the connection was refused".into())),
                    Ok(Served::Cut) => Err(Lost::Unknown("the connection was cut".into())),
                    Ok(Served::Response(response)) => Ok(Answer {
                        date: response.header("date").and_then(date),
                        retry_after: response.header("retry-after").map(str::to_owned),
                        status: response.status,
                        body: response.body,
                    }),
                }
            }
        }
    }
}

fn date(text: &str) -> Option<jiff::Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text).ok()
}

fn request(call: &Call, token: &str) -> Request {
    match call {
        Call::StartScan {
            machine,
            scan_type,
            comment,
        } => {
            let body = format!(r#"{{"Comment":{comment:?},"ScanType":"{scan_type}"}}"#);
            let path = format!("/api/machines/{machine}/runAntiVirusScan");
            Request::post(&path, token, body)
        }
        Call::ListScans {
            since,
            skip,
            top,
            order,
        } => {
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
            let filter = format!("type eq 'RunAntiVirusScan' and creationDateTimeUtc ge {since}");
            let mut path = format!("/api/machineactions?$filter={filter}&$top={top}&$skip={skip}");
            if order.count {
                path += "&$count=true";
            }
            if order.newest_first {
                path += "&$orderby=creationDateTimeUtc desc";
            }
            Request::get(&path, token)
        }
        Call::GetAction { id } => Request::get(&format!("/api/machineactions/{id}"), token),
        Call::CancelAction { id, comment } => {
            let path = format!("/api/machineactions/{id}/cancel");
            Request::post(&path, token, format!(r#"{{"Comment":{comment:?}}}"#))
        }
        Call::DeviceAvInfo { skip, top, order } => {
            let mut path = format!("/api/deviceavinfo?$top={top}&$skip={skip}");
            if order.count {
                path += "&$count=true";
            }
            Request::get(&path, token)
        }
        Call::Alerts {
            since,
            skip,
            top,
            order,
        } => {
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
            let mut path =
                format!("/api/alerts?$filter=alertCreationTime ge {since}&$top={top}&$skip={skip}");
            if order.count {
                path += "&$count=true";
            }
            Request::get(&path, token)
        }
        Call::Machines {
            filter,
            skip,
            top,
            order,
        } => {
            let mut path = format!("/api/machines?$top={top}&$skip={skip}");
            if let Some(filter) = filter {
                path += "&$filter=";
                path += filter;
            }
            if order.count {
                path += "&$count=true";
            }
            Request::get(&path, token)
        }
    }
}
