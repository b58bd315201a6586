//! The calls on machines besides the list of them: one machine, those with a tag or an address, tags, and the actions
//! that a machine supports (MDE-API.md, section 9).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    handlers::read_body,
    listing::{MACHINES_CONTEXT, Page},
    machine::{Machine, Nature},
    reply::{Error, Reply},
    request::Request,
    tenant::{State, Tenant},
};

/// The largest number of machines that a page of found ones holds.
const LARGEST_PAGE: usize = 10_000;

/// The actions of the API on machines; this tenant carries out the first one only.
const ACTIONS: [&str; 4] = [
    "RunAntiVirusScan",
    "Isolate",
    "RestrictCodeExecution",
    "CollectInvestigationPackage",
];

/// The body of a change of tags.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagChange {
    value: String,
    action: String,
}

impl Tenant {
    /// A machine by its id, or by its name as the inventory shows it.
    pub(super) fn machine(&self, state: &State, id: &str) -> Result<Reply, Error> {
        let is_it = |machine: &&Machine| {
            machine.id == id || machine.computer_dns_name.eq_ignore_ascii_case(id)
        };
        if let Some(machine) = state.inventory.iter().find(is_it) {
            return Ok(entity(machine));
        }
        self.check_known(id)?;
        Ok(entity(&Machine::named(
            id.to_owned(),
            &self.config,
            &self.clock,
        )))
    }

    /// The actions that a machine supports.
    pub(super) fn available_actions(&self, id: &str) -> Result<Reply, Error> {
        self.check_known(id)?;
        let unsupported = Nature::of(id, self.config.seed, &self.config.chances).unsupported;
        let actions = ACTIONS.map(|action| {
            let reason = match action {
                "RunAntiVirusScan" => unsupported,
                _ => Some("NotSupported"),
            };
            json!({"action": action, "isAvailable": reason.is_none(), "notSupportedReason": reason})
        });
        Ok(Reply::json(200, &json!({"value": actions})))
    }

    fn check_known(&self, id: &str) -> Result<(), Error> {
        let is_unknown = Nature::of(id, self.config.seed, &self.config.chances).unknown;
        if is_unknown || !self.knows(id) {
            return Err(not_found(id));
        }
        Ok(())
    }
}

impl State {
    /// The machines with a tag, or with a tag that begins so.
    pub(super) fn find_by_tag(&self, request: &Request) -> Result<Reply, Error> {
        let tag = request.query_option("tag").unwrap_or_default();
        if tag.is_empty() {
            return Err(Error::new(400, "InvalidInput", "The tag must not be empty"));
        }
        let prefix = request.query_option("useStartsWithFilter");
        let prefix = prefix.is_some_and(|word| word.eq_ignore_ascii_case("true"));
        let has_tag = |machine: &&Machine| {
            let mut tags = machine.tags.iter();
            tags.any(|its| {
                if prefix {
                    its.starts_with(&tag)
                } else {
                    *its == tag
                }
            })
        };
        Ok(page(self.inventory.iter().filter(has_tag)))
    }

    /// The machines that had an address at a time; here, that have it. `arguments` are as in the path.
    pub(super) fn find_by_ip(&self, arguments: &str) -> Result<Reply, Error> {
        let arguments = arguments
            .trim_start_matches("findbyip(")
            .trim_end_matches(')');
        let argument = |name: &str| {
            let mut all = arguments.split(',').filter_map(|part| part.split_once('='));
            all.find(|(its, _)| its.trim() == name)
                .map(|(_, value)| value.trim().trim_matches('\''))
        };
        let time = argument("timestamp").map(|time| time.to_ascii_uppercase().parse::<Timestamp>());
        let (Some(ip), Some(Ok(_))) = (argument("ip"), time) else {
            return Err(Error::new(
                400,
                "InvalidInput",
                "findbyip takes an ip and a timestamp",
            ));
        };
        let has_address = |machine: &&Machine| machine.last_ip_address == ip;
        Ok(page(self.inventory.iter().filter(has_address)))
    }

    /// Adds a tag to a machine of the inventory, or removes one, and answers with the machine.
    pub(super) fn change_tags(&mut self, id: &str, body: &[u8]) -> Result<Reply, Error> {
        let TagChange { value, action } = read_body(body)?;
        let Some(machine) = self.inventory.iter_mut().find(|machine| machine.id == id) else {
            return Err(not_found(id));
        };
        match action.as_str() {
            "Add" if !machine.tags.contains(&value) => machine.tags.push(value),
            "Add" => {}
            "Remove" => machine.tags.retain(|tag| *tag != value),
            _ => {
                let words = "Action must be one of: Add, Remove";
                return Err(Error::new(400, "InvalidInput", words));
            }
        }
        Ok(entity(machine))
    }
}

fn not_found(id: &str) -> Error {
    Error::new(
        404,
        "ResourceNotFound",
        format!("Machine {id} was not found"),
    )
}

/// A machine as a body of its own.
fn entity(machine: &Machine) -> Reply {
    #[derive(Serialize)]
    struct Entity<'a> {
        #[serde(rename = "@odata.context")]
        context: String,
        #[serde(flatten)]
        machine: &'a Machine,
    }
    let context = format!("{MACHINES_CONTEXT}/$entity");
    Reply::json(200, &Entity { context, machine })
}

fn page<'a>(machines: impl Iterator<Item = &'a Machine>) -> Reply {
    Reply::json(
        200,
        &Page {
            context: MACHINES_CONTEXT,
            count: None,
            value: machines.take(LARGEST_PAGE).collect(),
        },
    )
}
