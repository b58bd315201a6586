//! Actions as they are sent.

use super::*;

#[tokio::test]
async fn an_action_has_the_services_twenty_keys_in_its_order() {
    let clock = ServerClock::starting_at("2024-10-21T11:26:49.6894208Z".parse().unwrap());
    let action = Action {
        id: 0x0696_c900_b8ce_42ce_96f6_1b68_268b_7bea,
        machine: "ab".into(),
        comment: "Grüße".into(),
        full: false,
        foreign: false,
        created: clock.wall(Duration::ZERO),
        added: Duration::ZERO,
        listed_from: Duration::ZERO,
        begins: Duration::from_secs(1),
        ends: Duration::from_secs(2),
        end: Status::Succeeded,
        cancelled: None,
        vanished: false,
    };
    let view = View {
        now: Duration::ZERO,
        clock: &clock,
        comments: Comments::Truncated(3),
        requestor: "My App",
        domain: "",
    };
    let text = serde_json::to_string(&view.single(&action)).unwrap();
    assert_eq!(
        text,
        "{\"@odata.context\":\"https://api.security.microsoft.com/api/$metadata#MachineActions/$entity\",\
         \"id\":\"0696c900-b8ce-42ce-96f6-1b68268b7bea\",\"type\":\"RunAntiVirusScan\",\"title\":null,\
         \"requestor\":\"My App\",\"requestorComment\":\"Grü\",\"status\":\"Pending\",\"machineId\":\"ab\",\
         \"computerDnsName\":\"host-ab\",\"creationDateTimeUtc\":\"2024-10-21T11:26:49.6894208Z\",\
         \"lastUpdateDateTimeUtc\":\"2024-10-21T11:26:49.6894208Z\",\"cancellationRequestor\":null,\
         \"cancellationComment\":null,\"cancellationDateTimeUtc\":null,\"errorHResult\":0,\"scope\":null,\
         \"externalId\":null,\"requestSource\":\"PublicApi\",\"relatedFileInfo\":null,\"commands\":[],\
         \"troubleshootInfo\":null}"
    );
    let statuses = [0, 1, 2].map(|s| action.status(Duration::from_secs(s)));
    assert_eq!(
        statuses,
        [Status::Pending, Status::InProgress, Status::Succeeded]
    );
}
