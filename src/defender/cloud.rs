//! Microsoft's clouds and regions, from the table in MDE-API.md, section 6.

use std::{fmt, str::FromStr};

use super::base::ApiBase;

/// A cloud, with its own sign-in, hosts and quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cloud {
    /// The public cloud.
    #[default]
    Commercial,
    /// US government, moderate.
    Gcc,
    /// US government, high.
    GccHigh,
    /// US Department of Defense.
    Dod,
}

/// A region of the commercial cloud. All regions share one quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the API's own abbreviations say no more")]
pub enum Region {
    Us,
    Eu,
    Uk,
    Au,
    Swa,
    Ina,
    Aea,
}

/// The addresses of a cloud's API and sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The API: `https://…`, without a path.
    pub base: String,
    /// The sign-in service.
    pub authority: &'static str,
    /// What the token is for. This is not the base, because the audience with that name has no `Machine.*` roles
    /// (MDE-API.md, section 6).
    pub resource: &'static str,
}

/// Why a cloud or region does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCloud {
    /// There is no such cloud.
    #[error("there is no cloud {0:?}; there are commercial, gcc, gcc-high and dod")]
    Cloud(String),
    /// There is no such region.
    #[error("there is no region {0:?}; there are us, eu, uk, au, swa, ina and aea")]
    Region(String),
    /// The cloud has no regions.
    #[error("the cloud {0} has no regions; leave out --region, or use --cloud commercial")]
    NoRegions(Cloud),
}

impl Cloud {
    /// All clouds, in the documentation's order.
    pub const ALL: [Self; 4] = [Self::Commercial, Self::Gcc, Self::GccHigh, Self::Dod];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commercial => "commercial",
            Self::Gcc => "gcc",
            Self::GccHigh => "gcc-high",
            Self::Dod => "dod",
        }
    }

    /// The cloud's addresses, in a region if one is given.
    ///
    /// # Errors
    /// Only the commercial cloud has regions.
    pub fn endpoints(self, region: Option<Region>) -> Result<Endpoints, BadCloud> {
        let (host, authority, resource) = match self {
            Self::Commercial => (
                "api.security.microsoft.com",
                "https://login.microsoftonline.com",
                "https://api.securitycenter.microsoft.com",
            ),
            // This really is the commercial authority.
            Self::Gcc => (
                "api-gcc.securitycenter.microsoft.us",
                "https://login.microsoftonline.com",
                "https://api-gcc.securitycenter.microsoft.us",
            ),
            Self::GccHigh | Self::Dod => (
                "api-gov.securitycenter.microsoft.us",
                "https://login.microsoftonline.us",
                "https://api-gov.securitycenter.microsoft.us",
            ),
        };
        let base = match region {
            None => format!("https://{host}"),
            Some(region) if self == Self::Commercial => format!("https://{region}.{host}"),
            Some(_) => return Err(BadCloud::NoRegions(self)),
        };
        Ok(Endpoints {
            base,
            authority,
            resource,
        })
    }
}

impl Region {
    /// All regions, in the documentation's order.
    pub const ALL: [Self; 7] = [
        Self::Us,
        Self::Eu,
        Self::Uk,
        Self::Au,
        Self::Swa,
        Self::Ina,
        Self::Aea,
    ];

    /// The name on the command line, and in the host's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
            Self::Uk => "uk",
            Self::Au => "au",
            Self::Swa => "swa",
            Self::Ina => "ina",
            Self::Aea => "aea",
        }
    }
}

/// The name under which calls to this address are counted together: one for all hosts and regions of the commercial
/// cloud (it is not documented whether regions share a quota, so we assume it), one for each government cloud, and
/// scheme, host and port for anything else.
#[must_use]
pub fn quota_realm(base: &ApiBase) -> String {
    let host = base.host();
    let below = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '-']))
    };
    let labelled = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    if below("api.security.microsoft.com")
        || labelled("securitycenter.microsoft.com")
        || labelled("securitycenter.windows.com")
    {
        "commercial".to_owned()
    } else if host == "api-gcc.securitycenter.microsoft.us" {
        "gcc".to_owned()
    } else if host == "api-gov.securitycenter.microsoft.us" {
        "gov".to_owned()
    } else {
        base.origin()
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cloud {
    type Err = BadCloud;

    fn from_str(text: &str) -> Result<Self, BadCloud> {
        let found = Self::ALL.into_iter().find(|cloud| cloud.name() == text);
        found.ok_or_else(|| BadCloud::Cloud(text.to_owned()))
    }
}

impl FromStr for Region {
    type Err = BadCloud;

    fn from_str(text: &str) -> Result<Self, BadCloud> {
        let found = Self::ALL.into_iter().find(|region| region.name() == text);
        found.ok_or_else(|| BadCloud::Region(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(base: &str) -> String {
        quota_realm(&ApiBase::parse(base).unwrap())
    }

    #[test]
    fn every_host_of_the_commercial_cloud_shares_one_quota() {
        for region in [None].into_iter().chain(Region::ALL.map(Some)) {
            let base = Cloud::Commercial.endpoints(region).unwrap().base;
            assert_eq!(realm(&base), "commercial", "{base}");
        }
        for old in [
            "https://api.securitycenter.microsoft.com",
            "https://api-eu.securitycenter.microsoft.com",
            "https://api.securitycenter.windows.com",
        ] {
            assert_eq!(realm(old), "commercial", "{old}");
        }
    }

    #[test]
    fn other_clouds_and_other_servers_have_their_own() {
        assert_eq!(realm(&Cloud::Gcc.endpoints(None).unwrap().base), "gcc");
        assert_eq!(realm(&Cloud::GccHigh.endpoints(None).unwrap().base), "gov");
        assert_eq!(realm(&Cloud::Dod.endpoints(None).unwrap().base), "gov");
        assert_eq!(realm("http://127.0.0.1:8080/x"), "http://127.0.0.1:8080");
        assert_eq!(
            realm("https://evilapi.security.microsoft.com"),
            "https://evilapi.security.microsoft.com:443"
        );
    }

    #[test]
    fn names_are_parsed_and_the_error_for_an_unknown_one_lists_them() {
        for cloud in Cloud::ALL {
            assert_eq!(cloud.name().parse(), Ok(cloud));
        }
        for region in Region::ALL {
            assert_eq!(region.name().parse(), Ok(region));
        }
        let told = "china".parse::<Cloud>().unwrap_err().to_string();
        assert!(told.contains("gcc-high"), "{told}");
        let told = "mars".parse::<Region>().unwrap_err().to_string();
        assert!(told.contains("swa"), "{told}");
        let told = Cloud::Dod.endpoints(Some(Region::Eu)).unwrap_err();
        assert_eq!(told, BadCloud::NoRegions(Cloud::Dod));
    }

    #[test]
    fn the_token_of_the_commercial_cloud_is_for_the_old_host() {
        let there = Cloud::Commercial.endpoints(Some(Region::Eu)).unwrap();
        assert_eq!(there.base, "https://eu.api.security.microsoft.com");
        assert_eq!(there.resource, "https://api.securitycenter.microsoft.com");
    }
}
