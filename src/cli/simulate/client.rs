//! The mock tenant, asked without a network: calls, and the sign-in.

use std::{sync::Arc, time::Duration};

use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::{
    client::token_clock::SignInTime,
    defender::{
        Answer, ApiBase, Call, Defender, HttpRequest, Lost, Reply, http_date,
        sign_in::{
            Fetch, Renewing, SignInError, Token, TokenSource,
            fetch::{FetchError, Fetched, Fetching},
        },
    },
    mock::{Method, Request, Response, Served, Tenant},
    quota::Clock,
};

/// The port to a tenant inside this process.
#[derive(Debug)]
pub struct TenantClient {
    tenant: Arc<Tenant>,
    base: ApiBase,
    timeout: Duration,
}

impl TenantClient {
    /// A client that gives up a call after `timeout`.
    #[must_use]
    pub const fn new(tenant: Arc<Tenant>, base: ApiBase, timeout: Duration) -> Self {
        Self {
            tenant,
            base,
            timeout,
        }
    }
}

impl Defender for TenantClient {
    async fn call(&self, call: &Call, token: &Token) -> Reply {
        let Some(http) = HttpRequest::of(call, &self.base) else {
            let why = "the id is nothing that a URL can carry";
            return Err(Lost::Unsendable(why.to_owned()));
        };
        let path = http.url.path();
        let target = match http.url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let token = token.secret.expose_secret();
        let request = match http.body {
            Some(body) => Request::post(&target, token, body),
            None => Request::get(&target, token),
        };
        // The tenant goes on with a call that is given up.
        match tokio::time::timeout(self.timeout, self.tenant.handle(request)).await {
            Err(_) => Err(Lost::TimedOut(self.timeout)),
            Ok(Served::Refused) => Err(Lost::NotSent("the connection was refused".to_owned())),
            Ok(Served::Cut) => Err(Lost::Unknown("the connection was cut".to_owned())),
            Ok(Served::Response(response)) => Ok(answer(response)),
        }
    }
}

fn answer(response: Response) -> Answer {
    Answer {
        status: response.status,
        date: response.header("date").and_then(http_date::parse),
        retry_after: response.header("retry-after").map(str::to_owned),
        body: response.body,
    }
}

/// Tokens of a tenant inside this process, for whatever client.
pub fn tenant_tokens(tenant: &Arc<Tenant>, clock: &Arc<dyn Clock>) -> Arc<dyn TokenSource> {
    let fetch = SignIn(Arc::clone(tenant));
    let time = SignInTime(Arc::clone(clock));
    Arc::new(Renewing::new(fetch, Arc::new(time)))
}

/// Signs in to a tenant inside this process.
struct SignIn(Arc<Tenant>);

/// What the token endpoint answers.
#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: u64,
}

impl Fetch for SignIn {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            let form = "grant_type=client_credentials&client_id=mock&client_secret=mock\
                        &scope=https%3A%2F%2Fapi.securitycenter.microsoft.com%2F.default";
            let request = Request {
                method: Method::Post,
                authorization: None,
                ..Request::post("/mock/oauth2/v2.0/token", "", form)
            };
            let served = self.0.handle(request).await;
            let Served::Response(response) = served else {
                return Err(failed(true, "no connection to the mock tenant"));
            };
            match serde_json::from_slice::<Issued>(&response.body) {
                Ok(Issued {
                    access_token,
                    expires_in,
                }) => Ok(Fetched {
                    secret: access_token.into(),
                    life: Duration::from_secs(expires_in),
                }),
                Err(_) => Err(failed(
                    response.status >= 500,
                    &format!("the mock tenant answered with {}", response.status),
                )),
            }
        })
    }
}

fn failed(passing: bool, why: &str) -> FetchError {
    FetchError {
        passing,
        obstacle: false,
        error: SignInError(format!("sign-in failed: {why}")),
    }
}
