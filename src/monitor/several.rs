//! Several monitors as one.

use std::{sync::Arc, time::Duration};

use super::{Began, Called, Ended, Monitor, Scans, State};

/// Passes every report to each of these, in their order.
pub struct Several(pub Vec<Arc<dyn Monitor>>);

impl Several {
    fn each(&self, report: impl Fn(&dyn Monitor)) {
        self.0.iter().for_each(|monitor| report(monitor.as_ref()));
    }
}

impl Monitor for Several {
    fn began(&self, began: &Began<'_>) {
        self.each(|monitor| monitor.began(began));
    }

    fn target_ended(&self, ended: &Ended<'_>) {
        self.each(|monitor| monitor.target_ended(ended));
    }

    fn state(&self, state: &State) {
        self.each(|monitor| monitor.state(state));
    }

    fn scans(&self, scans: &Scans) {
        self.each(|monitor| monitor.scans(scans));
    }

    fn answered(&self, since_due: Duration) {
        self.each(|monitor| monitor.answered(since_due));
    }

    fn called(&self, call: &Called<'_>) {
        self.each(|monitor| monitor.called(call));
    }

    fn braked(&self, why: &str) {
        self.each(|monitor| monitor.braked(why));
    }

    fn sent_all(&self) {
        self.each(|monitor| monitor.sent_all());
    }

    fn note(&self, text: &str) {
        self.each(|monitor| monitor.note(text));
    }

    fn say(&self, text: &str) {
        self.each(|monitor| monitor.say(text));
    }

    fn hush(&self, hushed: bool) {
        self.each(|monitor| monitor.hush(hushed));
    }

    fn ended(&self) {
        self.each(|monitor| monitor.ended());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Remembers which reports came.
    #[derive(Default)]
    struct Names(Mutex<Vec<&'static str>>);

    impl Names {
        fn keep(&self, name: &'static str) {
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.push(name);
        }
    }

    impl Monitor for Names {
        fn began(&self, _: &Began<'_>) {
            self.keep("began");
        }
        fn target_ended(&self, _: &Ended<'_>) {
            self.keep("target_ended");
        }
        fn state(&self, _: &State) {
            self.keep("state");
        }
        fn scans(&self, _: &Scans) {
            self.keep("scans");
        }
        fn answered(&self, _: Duration) {
            self.keep("answered");
        }
        fn called(&self, _: &Called<'_>) {
            self.keep("called");
        }
        fn braked(&self, _: &str) {
            self.keep("braked");
        }
        fn sent_all(&self) {
            self.keep("sent_all");
        }
        fn note(&self, _: &str) {
            self.keep("note");
        }
        fn say(&self, _: &str) {
            self.keep("say");
        }
        fn hush(&self, _: bool) {
            self.keep("hush");
        }
        fn ended(&self) {
            self.keep("ended");
        }
    }

    #[test]
    fn every_report_goes_to_each_as_what_it_is() {
        let heard = [Arc::new(Names::default()), Arc::new(Names::default())];
        let all = Several(vec![heard[0].clone(), heard[1].clone()]);
        all.began(&Began {
            campaign: "abc",
            targets: 1,
            already_ended: 0,
        });
        all.target_ended(&Ended {
            line: 2,
            machine_id: "m",
            outcome: "accepted",
            message: "",
        });
        all.state(&State::example());
        all.scans(&Scans::default());
        all.answered(Duration::ZERO);
        all.called(&Called {
            kind: "start",
            code: "201",
            took: Duration::ZERO,
        });
        all.braked("too many failures");
        all.sent_all();
        all.note("a");
        all.say("b");
        all.hush(true);
        all.ended();
        let expected = [
            "began",
            "target_ended",
            "state",
            "scans",
            "answered",
            "called",
            "braked",
            "sent_all",
            "note",
            "say",
            "hush",
            "ended",
        ];
        for names in heard {
            assert_eq!(*names.0.lock().unwrap(), expected);
        }
    }
}
