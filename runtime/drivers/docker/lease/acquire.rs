//! Taking a lock, and deciding whether its holder may be replaced.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::process::{Life, uptime};
use super::state::{self, State};
use super::{CHANGE, EngineLease, Found, HeldLock, LockHolder, bounded, holder, image, name};
use crate::drivers::docker::errors::failure;
use crate::drivers::docker::{ContainerSpec, Engine, Logging};
use crate::failure::{Failure, FailureKind};

/// How long a holder on another machine must say nothing before it counts as dead.
const SILENCE: Duration = Duration::from_secs(60);
/// The longest time between two looks that counts as having listened: an engine that was away, or a machine that
/// slept, kept the holder from being heard.
const LISTENING: Duration = Duration::from_secs(5);

/// A wish for a lock. It remembers what it heard of the present holder, so one who waits asks with the same wish.
#[derive(Debug)]
pub struct LockRequest {
    name: String,
    container: String,
    me: LockHolder,
    silence: Duration,
    uptime: fn() -> u64,
    heard: Option<Heard>,
}

/// What was last heard of a holder.
#[derive(Debug)]
struct Heard {
    id: String,
    beats: u64,
    at: Instant,
    silent: Duration,
}

/// What to do about the present holder.
enum Verdict {
    Stays,
    /// It is dead, or ourselves in an earlier life.
    Replace,
    /// It is this very process.
    Mine,
    /// It is our own run, which waited for a person.
    TakeUp,
}

impl LockRequest {
    /// The lock of that name, for this holder.
    pub fn new(name: &str, me: LockHolder) -> Self {
        let container = name::container_name(name);
        Self { name: name.to_owned(), container, me, silence: SILENCE, uptime, heard: None }
    }

    /// How long a holder on another machine must say nothing before it counts as dead: a minute, unless said here.
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Where to read for how many seconds this machine has been up.
    pub fn uptime(mut self, uptime: fn() -> u64) -> Self {
        self.uptime = uptime;
        self
    }

    /// For how long, until now, the holder has said nothing while we listened.
    fn hear(&mut self, held: &HeldLock, now: Instant) -> Duration {
        let silent = match &self.heard {
            Some(heard) if heard.id == held.id && heard.beats == held.said.beats => {
                heard.silent + now.duration_since(heard.at).min(LISTENING)
            }
            _ => Duration::ZERO,
        };
        self.heard = Some(Heard { id: held.id.clone(), beats: held.said.beats, at: now, silent });
        silent
    }

    /// `boot` is when this machine booted, by the engine's clock.
    fn verdict(&mut self, held: &HeldLock, boot: Option<Timestamp>) -> Verdict {
        let silent = self.hear(held, Instant::now());
        let life = held.holder.process.life(&self.me.process);
        let own_run = held.holder.run_uid == self.me.run_uid && !self.me.run_uid.is_empty();
        if own_run && held.holder.process == self.me.process {
            return Verdict::Mine;
        }
        if own_run && life != Life::Exists {
            // A run is one process at a time, which its run log sees to; so the other one is gone.
            return if held.parked { Verdict::TakeUp } else { Verdict::Replace };
        }
        if held.parked {
            return Verdict::Stays;
        }
        let dead = match life {
            Life::Gone => true,
            Life::Exists => false,
            // A copied machine has the id of another. Whoever said something after this machine booted is such a copy.
            Life::OfAnotherBoot => {
                let last_word = held.since + Duration::from_secs(held.said.alive);
                boot.is_some_and(|boot| last_word < boot) || silent >= self.silence
            }
            Life::Unknown => silent >= self.silence,
        };
        if dead { Verdict::Replace } else { Verdict::Stays }
    }
}

impl Engine {
    /// Tries once to take a lock: `Ok` is ours, `Err` is the present holder's. One who wants to wait asks again, about
    /// once a second, with the same request.
    pub async fn acquire_lock(
        &self,
        request: &mut LockRequest,
        step: &str,
    ) -> Result<Result<EngineLease, Box<HeldLock>>, Failure> {
        bounded(CHANGE, format!("taking the lock `{}`", request.name), self.take(request, step)).await
    }

    async fn take(&self, request: &mut LockRequest, step: &str) -> Result<Result<EngineLease, Box<HeldLock>>, Failure> {
        let mut after = 0;
        loop {
            match self.create_lock(request, step, after).await {
                Ok(lease) => return Ok(Ok(lease)),
                Err(failure) if failure.kind == FailureKind::Conflict => {}
                Err(failure) => return Err(failure),
            }
            let Some(found) = self.look(&request.container).await? else {
                self.see_off(&request.container).await?;
                continue;
            };
            let Found::Lock(held) = found else { return Err(stranger(request)) };
            if held.leaving {
                self.see_off(&request.container).await?;
                continue;
            }
            let boot = self.boot_time(request, &held).await?;
            match request.verdict(&held, boot) {
                Verdict::Mine => return Ok(Ok(lease(&held, held.said.clone(), step))),
                Verdict::TakeUp => return self.take_up(request, &held, step).await.map(Ok),
                Verdict::Stays => return Ok(Err(held)),
                Verdict::Replace => {}
            }
            // Whoever was found dead may have said a last word before: that the run waits for a person.
            match self.look(&held.id).await? {
                Some(Found::Lock(again)) if again.said != held.said => continue,
                _ => {}
            }
            after = held.fence;
            self.clear(&held.id).await?;
        }
    }

    /// Kind `Conflict`: the name is taken.
    async fn create_lock(&self, request: &LockRequest, step: &str, after: i64) -> Result<EngineLease, Failure> {
        let spec = ContainerSpec {
            name: request.container.clone(),
            image: image::IMAGE.into(),
            // The engine wants a command; there is no such program.
            command: Some(vec!["lock".into()]),
            labels: holder::labels(&request.name, &request.me, step, after),
            network_mode: Some("none".into()),
            logging: Some(Logging { driver: "none".into(), ..Logging::default() }),
            ..ContainerSpec::default()
        };
        let id = loop {
            match self.create(&spec).await {
                Ok(id) => break id,
                Err(failure) if failure.kind == FailureKind::NotFound => image::load(self).await?,
                Err(failure) => return Err(failure),
            }
        };
        let created = self.inspect(&id).await?;
        let held = HeldLock::read(&created, State::default()).ok_or_else(|| stranger(request))?;
        Ok(lease(&held, State { step: step.to_owned(), ..State::default() }, step))
    }

    /// The lock of our own run, which waited for a person. Nobody replaces such a lock, so writing into it is enough.
    async fn take_up(&self, request: &LockRequest, held: &HeldLock, step: &str) -> Result<EngineLease, Failure> {
        let age = self.now().await?.duration_since(held.since);
        let said = State {
            beats: held.said.beats.wrapping_add(1),
            alive: u64::try_from(age.as_secs()).unwrap_or_default(),
            step: step.to_owned(),
            parked: false,
            process: Some(request.me.process.clone()),
        };
        state::write(self, &held.id, &said).await?;
        Ok(lease(held, said, step))
    }

    /// When this machine booted, by the engine's clock; asked only where it decides something.
    async fn boot_time(&self, request: &LockRequest, held: &HeldLock) -> Result<Option<Timestamp>, Failure> {
        if held.holder.process.life(&request.me.process) != Life::OfAnotherBoot {
            return Ok(None);
        }
        Ok(self.now().await?.checked_sub(Duration::from_secs((request.uptime)())).ok())
    }

    /// The engine's clock.
    async fn now(&self) -> Result<Timestamp, Failure> {
        let what = "ask the engine what time it is";
        let info = self.api().await?.info().await.map_err(|error| failure(self.address(), what, error))?;
        let time = info.system_time.and_then(|time| time.parse().ok());
        time.ok_or_else(|| Failure::new(FailureKind::System, format!("cannot {what}: it does not say")))
    }
}

fn lease(held: &HeldLock, said: State, step: &str) -> EngineLease {
    EngineLease {
        name: held.name.clone(),
        container: held.container.clone(),
        id: held.id.clone(),
        since: held.since,
        fence: held.fence,
        began: uptime().saturating_sub(said.alive),
        step: Mutex::new(step.to_owned()),
        said: tokio::sync::Mutex::new(said),
    }
}

fn stranger(request: &LockRequest) -> Failure {
    let container = &request.container;
    Failure::new(
        FailureKind::Conflict,
        format!("cannot take the lock `{}`: the container `{container}` is not one of its holders", request.name),
    )
    .hint(format!("if nobody needs it, remove it: docker rm {container}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_in_which_the_holder_could_have_been_heard_counts_as_silence() {
        let mut held = HeldLock {
            name: "shop".into(),
            container: String::new(),
            id: "first".into(),
            holder: LockHolder::default(),
            since: Timestamp::UNIX_EPOCH,
            fence: 1,
            step: String::new(),
            parked: false,
            said: State::default(),
            leaving: false,
        };
        let mut request = LockRequest::new("shop", LockHolder::default());
        let began = Instant::now();
        let mut silent = |held: &HeldLock, after: u64| request.hear(held, began + Duration::from_secs(after)).as_secs();
        assert_eq!(silent(&held, 100), 0, "nothing is known of the time before the first look");
        assert_eq!(silent(&held, 101), 1);
        assert_eq!(silent(&held, 103), 3);
        assert_eq!(silent(&held, 1000), 8, "the engine was away, or we slept");
        held.said.beats = 1;
        assert_eq!(silent(&held, 1001), 0);
        assert_eq!(silent(&held, 1002), 1);
        held.id = "second".into();
        assert_eq!(silent(&held, 1003), 0, "a new holder");
    }
}
