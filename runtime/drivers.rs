//! The outside world behind small types: engines, processes, HTTP, hosts. Drivers know neither runs nor scripts.

pub mod backup;
pub mod bucket;
pub mod cut;
pub mod disk;
pub mod docker;
pub mod http;
pub mod mail;
pub mod pace;
pub mod process;
pub mod prompt;
pub mod sqlite;
pub mod ssh;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::runtime::Runtime;

use crate::failure::Failure;
use process::Processes;

/// The way to every driver, made once per process. Nothing is connected before the first use.
#[derive(Default)]
pub struct Drivers {
    runtime: OnceLock<Runtime>,
    processes: Processes,
    engines: Mutex<HashMap<String, Arc<docker::Engine>>>,
    hosts: Arc<ssh::Hosts>,
    keyring: backup::Keyring,
    /// How a host is found by its name.
    finder: OnceLock<HostFinder>,
}

/// Says how a host is reached that is known by this name.
pub type HostFinder = Box<dyn Fn(&str) -> Result<ssh::Target, Failure> + Send + Sync>;

impl Drivers {
    /// Drivers that have kept programs watched over by that build of `runbook`: for a process that is none itself.
    pub fn kept_by(keeper: impl Into<PathBuf>) -> Self {
        Self { processes: Processes::kept_by(keeper), ..Self::default() }
    }

    /// Runs async work to its end on the calling thread. Callers bound it: see `Context::wait`.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// Programs of this machine.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Hosts that are reached over SSH.
    pub fn ssh(&self) -> &ssh::Hosts {
        &self.hosts
    }

    /// The same, for work that goes on in the background.
    pub fn shared_ssh(&self) -> Arc<ssh::Hosts> {
        Arc::clone(&self.hosts)
    }

    /// The keys of the repositories of backups that were opened.
    pub fn keyring(&self) -> &backup::Keyring {
        &self.keyring
    }

    /// Lets async work go on in the background until it ends or the process does.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime().spawn(work);
    }

    /// Says how hosts are found by name; the first that says so counts.
    pub fn find_hosts_with(&self, finder: HostFinder) {
        let _ = self.finder.set(finder);
    }

    /// The Docker engine at an address (`unix:///path`, `tcp://host:port` or `ssh://host`), or the local one. Nothing is connected yet:
    /// its first call does that.
    pub fn docker(&self, host: Option<&str>) -> Result<Arc<docker::Engine>, Failure> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let key = host.unwrap_or_default();
        if let Some(engine) = engines.get(key) {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(match (host, host.and_then(|host| host.strip_prefix(docker::OVER_SSH))) {
            (_, Some(name)) => docker::Engine::over(Arc::clone(&self.hosts), self.host_named(name)?)?,
            (Some(address), None) => docker::Engine::at(address)?,
            (None, None) => docker::Engine::local()?,
        });
        engines.insert(key.to_owned(), Arc::clone(&engine));
        Ok(engine)
    }

    /// A host by its name; without a project, `~/.ssh/config` alone is asked.
    fn host_named(&self, name: &str) -> Result<ssh::Target, Failure> {
        match self.finder.get() {
            Some(finder) => finder(name),
            None => ssh::Target::resolve(&ssh::Wish::named(name), &|_| None),
        }
    }

    #[allow(clippy::expect_used)] // without threads and a poller nothing can work, and there is nobody to tell yet
    fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2).enable_all().build().expect("the operating system grants two threads")
        })
    }
}
