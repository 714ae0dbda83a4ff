//! A real Docker engine for a test, with images built from scratch and nothing left behind.

use std::collections::BTreeSet;
use std::future::Future;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use runbook::drivers::Drivers;
use runbook::drivers::docker::{BuildRequest, ContainerSpec, Engine, NetworkSpec, Reference, VolumeSpec};
use runbook::primitive::Failure;

use super::skip;

/// What every image built here is made from: a static `busybox` with all its commands in `/bin`. It stays, as a cache.
const BASE: &str = "runbook-test/busybox:1";

/// An engine and a name space of its own. What is made from its images or under its names is gone when it is dropped.
pub struct Lab {
    /// The engine.
    pub engine: Arc<Engine>,
    drivers: Drivers,
    prefix: String,
}

impl Lab {
    /// `None`, said aloud, when there is no engine here or nothing to build images from.
    pub fn start() -> Option<Self> {
        static BASE_BUILT: OnceLock<()> = OnceLock::new();
        let lab = Self::at(None)?;
        BASE_BUILT.get_or_init(|| lab.build_base());
        Some(lab)
    }

    /// The same on another engine, which has none of the images yet.
    pub fn on(address: &str) -> Option<Self> {
        let lab = Self::at(Some(address))?;
        lab.build_base();
        Some(lab)
    }

    fn at(address: Option<&str>) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let drivers = Drivers::default();
        let Some(engine) = drivers.docker(address).ok().filter(|engine| drivers.block_on(engine.info()).is_ok()) else {
            skip("a Docker engine (apt-get install docker.io)");
            return None;
        };
        if busybox().is_none() {
            skip("a static busybox (apt-get install busybox-static)");
            return None;
        }
        let prefix = format!("rbt-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Some(Self { engine, drivers, prefix })
    }

    /// Waits for work with the engine, at most a minute.
    pub fn run<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.drivers.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), work).await.expect("the engine answers within a minute")
        })
    }

    /// The same engine as if it were on another machine, through a TCP port of this one: `tcp://127.0.0.1:port`.
    pub fn afar(&self) -> String {
        self.overheard(Arc::default())
    }

    /// The same, and what it is asked is written down: `GET /v1.41/containers/json`.
    pub fn overheard(&self, asked: Arc<Mutex<Vec<String>>>) -> String {
        let socket = self.engine.address().strip_prefix("unix://").expect("the tests' engine is local").to_owned();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let engine = std::os::unix::net::UnixStream::connect(&socket).unwrap();
                let (client_in, engine_in) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || {
                    let mut bytes = vec![0; 64 << 10];
                    while let Ok(length @ 1..) = (&client_in).read(&mut bytes) {
                        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                        let lines = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1").map(str::to_owned));
                        asked.lock().unwrap().extend(lines);
                        if (&engine_in).write_all(&bytes[..length]).is_err() {
                            break;
                        }
                    }
                    let _ = engine_in.shutdown(std::net::Shutdown::Write);
                });
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut &engine, &mut &client);
                    let _ = client.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        address
    }

    /// A name nobody else uses: for containers, networks, volumes and projects.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Builds an image of a static busybox and these lines of a Dockerfile; returns its reference.
    pub fn image(&self, name: &str, version: &str, lines: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        self.image_from(folder.path(), &format!("runbook-test/{}:{version}", self.name(name)), lines)
    }

    /// The same under a whole reference, as in `127.0.0.1:5000/app:1`, with the files of a folder.
    pub fn image_from(&self, folder: &Path, reference: &str, lines: &str) -> String {
        std::fs::write(folder.join("Dockerfile"), format!("{}\n{lines}\n", self.from())).unwrap();
        let request = BuildRequest {
            folder: folder.to_owned(),
            tags: vec![Reference::parse(reference).unwrap()],
            ..BuildRequest::default()
        };
        self.run(self.engine.build(&request, &mut |_| {})).unwrap();
        reference.to_owned()
    }

    /// The first two lines of a Dockerfile of this lab. Its label comes first, so that no layer is
    /// shared with a lab that removes its images meanwhile.
    pub fn from(&self) -> String {
        format!("FROM {BASE}\nLABEL runbook-test.lab={} runbook-test=1", self.prefix)
    }

    /// The labels of whatever a test makes by itself.
    pub fn labels(&self) -> std::collections::BTreeMap<String, String> {
        [("runbook-test".into(), "1".into()), ("runbook-test.lab".into(), self.prefix.clone())].into()
    }

    /// The label that finds whatever this lab made.
    pub fn label(&self) -> String {
        format!("runbook-test.lab={}", self.prefix)
    }

    /// What a container of this lab is made from: a shell script.
    pub fn spec(&self, name: &str, script: &str) -> ContainerSpec {
        ContainerSpec {
            name: self.name(name),
            image: BASE.into(),
            command: Some(vec!["/bin/sh".into(), "-c".into(), script.into()]),
            labels: self.labels(),
            stop_timeout: Some(1),
            ..ContainerSpec::default()
        }
    }

    /// Creates and starts a container; returns its name.
    pub fn up(&self, spec: &ContainerSpec) -> String {
        self.run(async {
            let id = self.engine.create(spec).await?;
            self.engine.start(&id).await
        })
        .unwrap();
        spec.name.clone()
    }

    /// A container that runs a script; returns its name.
    pub fn script(&self, name: &str, script: &str) -> String {
        self.up(&self.spec(name, script))
    }

    /// Waits until a container printed this line.
    pub fn wait_for_line(&self, container: &str, line: &str) {
        self.run(async {
            while !self.engine.last_lines(container, 50).await.lines().any(|printed| printed == line) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        })
        .unwrap();
    }

    /// A network; returns its name.
    pub fn network(&self, name: &str) -> String {
        let spec = NetworkSpec { name: self.name(name), labels: self.labels(), ..NetworkSpec::default() };
        self.run(self.engine.create_network(&spec)).unwrap();
        spec.name
    }

    /// A volume; returns its name.
    pub fn volume(&self, name: &str) -> String {
        let spec = VolumeSpec { name: self.name(name), labels: self.labels(), ..VolumeSpec::default() };
        self.run(self.engine.create_volume(&spec)).unwrap();
        spec.name
    }

    /// Runs a command in a container; returns its exit code and its standard output.
    pub fn exec(&self, container: &str, command: &[&str]) -> (i64, String) {
        let request = runbook::drivers::docker::ExecRequest {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            limit: Some(Duration::from_secs(20)),
            ..Default::default()
        };
        let mut text = String::new();
        let mut keep = |_, line: &str| text += &format!("{line}\n");
        let finished = self.run(self.engine.exec(container, &request, None, &mut keep)).unwrap();
        (finished.exit_code, text)
    }

    fn build_base(&self) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(busybox().unwrap(), folder.path().join("busybox")).unwrap();
        let dockerfile = "FROM scratch\nLABEL runbook-test=1\nCOPY busybox /bin/busybox\n\
            RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
            RUN mkdir -p /tmp /etc /root && echo 'root:x:0:0::/root:/bin/sh' > /etc/passwd && echo 'root:x:0:' > /etc/group\n\
            ENV PATH=/bin\nCMD [\"/bin/sh\"]\n";
        std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
        let request = BuildRequest {
            folder: folder.path().to_owned(),
            tags: vec![Reference::parse(BASE).unwrap()],
            ..BuildRequest::default()
        };
        self.run(self.engine.build(&request, &mut |_| {})).unwrap();
    }

    async fn clean_up(&self) -> Result<(), Failure> {
        let engine = &self.engine;
        let mine = |name: &str, labels: &std::collections::BTreeMap<String, String>| {
            name.trim_start_matches("runbook-lock-").starts_with(&format!("{}-", self.prefix))
                || labels.get("runbook-test.lab") == Some(&self.prefix)
        };
        let mut anonymous = BTreeSet::new();
        for container in engine.containers(&[]).await?.iter().filter(|found| mine(&found.name, &found.labels)) {
            let mounts = engine.inspect(&container.id).await?.mounts;
            anonymous.extend(mounts.into_iter().map(|mount| mount.name).filter(|name| name.len() == 64));
            engine.remove(&container.id, true).await?;
        }
        // One that was put back by its name goes with no container, and another container may have used it as well.
        for volume in &anonymous {
            engine.remove_volume(volume).await?;
        }
        for network in engine.networks(&[]).await?.iter().filter(|found| mine(&found.name, &found.labels)) {
            engine.remove_network(&network.id).await?;
        }
        for volume in engine.volumes(&[]).await?.iter().filter(|found| mine(&found.name, &found.labels)) {
            engine.remove_volume(&volume.name).await?;
        }
        // Names that releases gave to images, the common base included.
        let kept = format!("runbook/{}-", self.prefix);
        for image in engine.images().await? {
            for name in image.tags.iter().filter(|name| name.starts_with(&kept)) {
                engine.remove_image(name, true).await?;
            }
        }
        for image in engine.images().await?.iter().filter(|found| mine("", &found.labels)) {
            for name in &image.tags {
                engine.remove_image(name, true).await?;
            }
            // A digest is a name as well.
            engine.remove_image(&image.id, true).await?;
        }
        Ok(())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A test that fails must show its own failure, not that of the cleaning.
        if let Err(failure) = self.run(self.clean_up()) {
            eprintln!("the lab could not be cleaned up: {failure}");
        }
    }
}

fn busybox() -> Option<&'static str> {
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).is_file())
}
