//! Notices on their way: one after the other, each tried several times, beside the campaign.

use std::time::Duration;

use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::monitor::{Notice, notice::Occasion};

/// How many notices may wait. A run has an end, at most a brake, and a hold an hour.
pub(super) const WAITING: usize = 8;

/// The pauses between the tries of one notice.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// How long the process waits at its end for the notices that are still on their way.
const AT_THE_END: Duration = Duration::from_secs(30);

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Posted {
    Taken,
    /// It may be taken later. Why it was not.
    Later(String),
    /// It will never be taken. Why.
    Refused(String),
}

/// Posts a notice, once.
pub(super) trait Post: Send + Sync + 'static {
    fn post(&self, body: &str) -> impl Future<Output = Posted> + Send;
}

/// The queue of notices.
pub(super) struct Notifier {
    queue: mpsc::Sender<Notice>,
    task: JoinHandle<()>,
    host: String,
    say: Box<dyn Fn(&str) + Send + Sync>,
}

impl Notifier {
    /// Begins to post what is sent to `queue`. What does not get through is said, with this name of the receiver.
    pub(super) fn start(
        post: impl Post,
        host: String,
        queue: mpsc::Sender<Notice>,
        notices: mpsc::Receiver<Notice>,
        say: impl Fn(&str) + Clone + Send + Sync + 'static,
    ) -> Self {
        let posting = post_all(post, host.clone(), notices, say.clone());
        Self {
            queue,
            task: tokio::spawn(posting),
            host,
            say: Box::new(say),
        }
    }

    /// Posts the last notice, and waits a while until all have been taken.
    pub(super) async fn finish(mut self, end: Notice) {
        let posting = async {
            // An error means that the task is gone.
            let _ = self.queue.send(end).await;
            let _ = (&mut self.task).await;
        };
        if timeout(AT_THE_END, posting).await.is_err() {
            (self.say)(&format!(
                "--notify: {} has not taken the notice of the end within {} s",
                self.host,
                AT_THE_END.as_secs()
            ));
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Posts notices up to that of the end.
async fn post_all(
    post: impl Post,
    host: String,
    mut notices: mpsc::Receiver<Notice>,
    say: impl Fn(&str),
) {
    while let Some(notice) = notices.recv().await {
        // The process waits for the notice of the end, and that one not for an older one.
        let is_last = || notices.is_empty();
        if let Err(why) = deliver(&post, &notice.line(), is_last).await {
            let what = match notice.event {
                Occasion::End => "the end",
                Occasion::Brake => "a brake",
                Occasion::Hold => "a hold",
            };
            say(&format!(
                "--notify: {host} did not take the notice of {what}: {why}"
            ));
        }
        if notice.event == Occasion::End {
            return;
        }
    }
}

/// Posts a notice until it is taken, refused, or was tried often enough; only once more where another one waits.
async fn deliver(post: &impl Post, body: &str, is_last: impl Fn() -> bool) -> Result<(), String> {
    let mut tries = 0;
    loop {
        let why = match post.post(body).await {
            Posted::Taken => return Ok(()),
            Posted::Refused(why) => return Err(why),
            Posted::Later(why) => why,
        };
        tries += 1;
        if tries > 1 && !is_last() {
            return Err(format!("{why}, and a later one waits"));
        }
        match PAUSES.get(tries - 1) {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Err(format!("{why}, after {tries} tries")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    use jiff::Timestamp;
    use tokio::time::Instant;

    use super::*;

    /// Remembers when what was posted, and answers with these in turn, the last one for ever; with none, never.
    #[derive(Clone)]
    struct Receiver {
        answers: Arc<Mutex<VecDeque<Posted>>>,
        seen: Arc<Mutex<Vec<(u64, String)>>>,
        began: Instant,
    }

    impl Receiver {
        fn new(answers: &[Posted]) -> Self {
            Self {
                answers: Arc::new(Mutex::new(answers.iter().cloned().collect())),
                seen: Arc::default(),
                began: Instant::now(),
            }
        }

        fn times(&self) -> Vec<u64> {
            self.seen
                .lock()
                .unwrap()
                .iter()
                .map(|(at, _)| *at)
                .collect()
        }
    }

    impl Post for Receiver {
        async fn post(&self, body: &str) -> Posted {
            let at = self.began.elapsed().as_secs();
            let event: serde_json::Value = serde_json::from_str(body).unwrap();
            let event = event["event"].as_str().unwrap().to_owned();
            self.seen.lock().unwrap().push((at, event));
            let answer = {
                let mut answers = self.answers.lock().unwrap();
                if answers.len() > 1 {
                    answers.pop_front()
                } else {
                    answers.front().cloned()
                }
            };
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }
    }

    fn notice(event: Occasion) -> Notice {
        Notice::new(event, Timestamp::UNIX_EPOCH, "text".to_owned())
    }

    fn later() -> Posted {
        Posted::Later("status 503".to_owned())
    }

    /// Posts these and the end, and returns what was said and how long the end took.
    async fn posted(receiver: &Receiver, before: &[Occasion]) -> (Vec<String>, u64) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let (queue, notices) = mpsc::channel(WAITING);
        for event in before {
            queue.send(notice(*event)).await.unwrap();
        }
        let say = {
            let said = Arc::clone(&said);
            move |text: &str| said.lock().unwrap().push(text.to_owned())
        };
        let host = "hooks.example.com".to_owned();
        let notifier = Notifier::start(receiver.clone(), host, queue, notices, say);
        let began = Instant::now();
        notifier.finish(notice(Occasion::End)).await;
        let took = began.elapsed().as_secs();
        let said = said.lock().unwrap().clone();
        (said, took)
    }

    #[tokio::test(start_paused = true)]
    async fn a_notice_is_posted_again_after_1_2_4_and_8_seconds_and_then_given_up() {
        let receiver = Receiver::new(&[later()]);
        let (said, took) = posted(&receiver, &[]).await;
        assert_eq!(receiver.times(), [0, 1, 3, 7, 15]);
        assert_eq!(took, 15);
        assert_eq!(
            said,
            [
                "--notify: hooks.example.com did not take the notice of the end: status 503, after 5 tries"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_not_posted_again_once_it_was_taken_or_refused() {
        let receiver = Receiver::new(&[later(), later(), Posted::Taken]);
        assert_eq!(posted(&receiver, &[]).await, (Vec::new(), 3));
        let receiver = Receiver::new(&[Posted::Refused("status 404".to_owned())]);
        let (said, took) = posted(&receiver, &[]).await;
        assert_eq!((receiver.times(), took), (vec![0], 0));
        assert!(said[0].ends_with("the end: status 404"), "{said:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_posted_in_their_order() {
        let receiver = Receiver::new(&[later(), Posted::Taken]);
        let before = [Occasion::Hold, Occasion::Brake];
        assert_eq!(posted(&receiver, &before).await.0, Vec::<String>::new());
        let seen = receiver.seen.lock().unwrap().clone();
        let events: Vec<&str> = seen.iter().map(|(_, event)| event.as_str()).collect();
        assert_eq!(events, ["hold", "hold", "brake", "end"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_answers_is_waited_for_half_a_minute() {
        let receiver = Receiver::new(&[]);
        let (said, took) = posted(&receiver, &[Occasion::Brake]).await;
        assert_eq!(took, 30);
        assert_eq!(
            said,
            ["--notify: hooks.example.com has not taken the notice of the end within 30 s"]
        );
    }
}
