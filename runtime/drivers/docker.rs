//! The Docker engine behind small types. The only place that knows bollard, none of whose types leave it.
//!
//! Everything here is asynchronous and ends when its future is dropped. What the engine answers is turned into plain
//! data ([`Container`], [`Image`], …) and what it refuses into a [`Failure`](crate::failure::Failure) that says what to
//! do next. Streams that should be moving (a pull, a build, an exec) end after a minute of silence.

mod archive;
mod attach;
mod build;
mod build_context;
mod connect;
mod container;
mod copy;
mod create;
mod diagnose;
mod errors;
mod events;
mod exec;
mod exec_kept;
mod exec_kill;
mod health;
mod image;
mod info;
mod inspect;
mod lease;
mod lifecycle;
mod lines;
mod listening;
mod logs;
mod network;
mod prune;
mod pull;
mod push;
mod recreate;
mod reference;
mod remote;
mod send;
mod shelf;
mod spec;
mod stream;
mod volume;
mod waker;

use std::future::Future;

use futures_util::stream::{StreamExt, TryStreamExt, iter};

use crate::failure::Failure;

/// How many questions an engine is asked at the same time.
const AT_ONCE: usize = 16;

/// Asks several things at the same time; the answers are in the order of the questions.
pub async fn at_once<T, Q>(questions: impl IntoIterator<Item = Q>) -> Result<Vec<T>, Failure>
where
    Q: Future<Output = Result<T, Failure>>,
{
    iter(questions).buffered(AT_ONCE).try_collect().await
}

pub use build::{BuildRequest, BuildStep};
pub use connect::{Engine, OVER_SSH};
pub use container::{
    AttachedNetwork, Container, ContainerState, ContainerSummary, Health, HealthProbe, HealthStatus, MountedPath,
    PublishedPort,
};
pub use events::EngineEvent;
pub use exec::{Chunk, ExecRequest, Finished, Input, OutputStream};
pub use exec_kept::{Left, Trace};
pub use health::{HealthWait, Verdict};
pub use image::Image;
pub use info::{DiskUsage, EngineInfo};
pub use lease::{EngineLease, HeldLock, HolderProcess, LockHolder, LockRequest};
pub use lines::Lines;
pub use logs::LogRequest;
pub use network::{Network, NetworkSpec, Subnet};
pub use prune::{Budget, Pruned};
pub use pull::{Login, Transfer};
pub use reference::Reference;
pub use send::Layered;
pub use shelf::SHELF;
pub use spec::{
    ContainerSpec, Device, HealthCheck, Logging, Mount, MountKind, NetworkAttachment, PortSpec, Resources, Restart,
    Ulimit,
};
pub use volume::{Volume, VolumeSpec};
pub use waker::{Paused, keep_awake};
