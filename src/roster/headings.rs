//! What columns are called that tell which machine a row means.

use csv::StringRecord;

use super::bare::trim;

/// The column that says how a row's machine was found (`--resolve`).
pub(super) const RESOLVED: &str = "resolved";

/// Names of columns with machine ids, in the form of [`plain`]. The first that is present counts.
const OF_IDS: [&str; 3] = ["machineid", "id", "deviceid"];

/// Names of columns that tell a machine by something else than its id, in the same form. The first that is present
/// counts: Entra device ids before names, because those are unique.
const OF_NAMES: [&str; 20] = [
    "aaddeviceid",
    "azureaddeviceid",
    "entradeviceid",
    "entraiddeviceid",
    "microsoftentradeviceid",
    "computerdnsname",
    "dnsname",
    "dnshostname",
    "fqdn",
    "computername",
    "devicename",
    "machinename",
    "hostname",
    "computer",
    "machine",
    "device",
    "host",
    "name",
    "displayname",
    "samaccountname",
];

/// The columns that are called as those with machine ids are, the best one first.
pub(super) fn of_ids(header: &StringRecord) -> impl Iterator<Item = usize> {
    let names: Vec<_> = header.iter().map(plain).collect();
    OF_IDS
        .iter()
        .filter_map(move |known| names.iter().position(|name| name == known))
}

/// The column that is called as those with names of machines are.
pub(super) fn of_names(header: &StringRecord) -> Option<usize> {
    let names: Vec<_> = header.iter().map(plain).collect();
    OF_NAMES
        .iter()
        .find_map(|known| names.iter().position(|name| name == known))
}

/// The place of the column that tells people what a campaign's machines are called, among the columns of its input
/// besides that of the ids. With `--resolve` it is the first of them, which holds what was looked up; otherwise names
/// come before Entra device ids.
#[must_use]
pub fn name_column(columns: &[String]) -> Option<usize> {
    if columns.get(1).is_some_and(|name| name == RESOLVED) {
        return Some(0);
    }
    let names: Vec<_> = columns.iter().map(|name| plain(name)).collect();
    let place = |known: &&str| names.iter().position(|name| name == known);
    let (ids, readable): (Vec<_>, Vec<_>) =
        OF_NAMES.iter().partition(|name| name.ends_with("deviceid"));
    readable.into_iter().chain(ids).find_map(place)
}

/// A column's name in lower case, without blanks, hyphens and underscores.
fn plain(name: &str) -> String {
    trim(name)
        .chars()
        .filter(|c| !matches!(c, ' ' | '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_a_name_where_there_is_one() {
        let place = |columns: &[&str]| {
            let columns: Vec<_> = columns.iter().map(|name| (*name).to_owned()).collect();
            name_column(&columns)
        };
        assert_eq!(
            place(&["aad_device_id", "os", "computer_dns_name"]),
            Some(2)
        );
        assert_eq!(place(&["aad_device_id", "os"]), Some(0));
        assert_eq!(place(&["input_Host", "resolved", "Name"]), Some(0));
        assert_eq!(place(&["site"]), None);
    }
}
