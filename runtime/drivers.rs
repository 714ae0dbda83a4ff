//! The outside world behind small types: engines, processes, HTTP. Drivers know neither runs nor scripts.

pub mod disk;
pub mod docker;
pub mod http;
pub mod process;
pub mod prompt;

use std::collections::HashMap;
use std::future::Future;
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
}

impl Drivers {
    /// Runs async work to its end on the calling thread. Callers bound it: see `Context::wait`.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime().block_on(work)
    }

    /// Programs of this machine.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Lets async work go on in the background until it ends or the process does.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime().spawn(work);
    }

    /// The Docker engine of a host (`unix:///path` or `tcp://host:port`), or the local one. Nothing is connected yet:
    /// its first call does that.
    pub fn docker(&self, host: Option<&str>) -> Result<Arc<docker::Engine>, Failure> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let key = host.unwrap_or_default();
        if let Some(engine) = engines.get(key) {
            return Ok(Arc::clone(engine));
        }
        let engine = Arc::new(host.map_or_else(docker::Engine::local, docker::Engine::at)?);
        engines.insert(key.to_owned(), Arc::clone(&engine));
        Ok(engine)
    }

    #[allow(clippy::expect_used)] // without threads and a poller nothing can work, and there is nobody to tell yet
    fn runtime(&self) -> &Runtime {
        self.runtime.get_or_init(|| {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2).enable_all().build().expect("the operating system grants two threads")
        })
    }
}
