//! What the engine tells of while runbooks run. It remembers its last 256 events only, which a few health checks fill: so it
//! is listened to all the time.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::runbooks::systems::docker;

/// How long the engine may take to tell of something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who listens.
pub struct Events {
    listener: Child,
    heard: Arc<Mutex<Vec<Value>>>,
    fence: String,
}

impl Events {
    /// Listens from now on.
    pub fn listen() -> Self {
        let mut command = Command::new("docker");
        command.args(["events", "--format", "{{json .}}"]);
        for kind in ["container", "image", "volume"] {
            command.args(["--filter", &format!("type={kind}")]);
        }
        let mut listener = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(listener.stdout.take().unwrap()).lines();
        let all = Arc::clone(&heard);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                all.lock().unwrap().push(event);
            }
        });
        let fence = format!("runbook-test-fence-{}-{:?}", std::process::id(), std::thread::current().id());
        let fence = fence.replace(['(', ')'], "");
        let events = Self { listener, heard, fence };
        // Nobody says when the listening begins.
        let began = Instant::now();
        while !events.raise_fence(Duration::from_millis(500)) {
            assert!(began.elapsed() < PATIENCE, "the engine tells of nothing");
        }
        events
    }

    /// All that happened since then, which is a time after 1970.
    pub fn since(&self, since: Duration) -> Vec<Value> {
        assert!(self.raise_fence(PATIENCE), "the engine stopped telling what happens");
        let since = u64::try_from(since.as_nanos()).unwrap();
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|event| event["timeNano"].as_u64().unwrap_or_default() >= since).cloned().collect()
    }

    /// Makes something happen and waits until it is heard of: what happened before is heard by then.
    fn raise_fence(&self, patience: Duration) -> bool {
        let is_fence = |event: &Value| event["Action"] == "destroy" && event["Actor"]["ID"] == *self.fence;
        let count = || self.heard.lock().unwrap().iter().filter(|event| is_fence(event)).count();
        let before = count();
        docker(&["volume", "create", "--label", "runbook-test=1", &self.fence]);
        docker(&["volume", "rm", &self.fence]);
        let began = Instant::now();
        while count() == before {
            if began.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.listener.kill();
        let _ = self.listener.wait();
    }
}
