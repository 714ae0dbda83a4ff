//! Images that hold one program of this machine with its libraries.

use std::path::Path;
use std::process::Command;

use super::{Lab, skip};

impl Lab {
    /// An image with nginx; `None`, said aloud, where there is none to pack.
    pub fn nginx(&self) -> Option<String> {
        let folders =
            "RUN mkdir -p /var/lib/nginx /var/log/nginx /run /etc/nginx /www\nENV PATH=/bin:/usr/bin:/usr/sbin";
        self.program("nginx", "/usr/sbin/nginx", "nginx-light", folders)
    }

    /// An image with Caddy; `None`, said aloud, where there is none to pack.
    pub fn caddy(&self) -> Option<String> {
        self.program("caddy", "/usr/bin/caddy", "caddy", "ENV HOME=/root PATH=/bin:/usr/bin:/usr/sbin")
    }

    fn program(&self, name: &str, path: &str, package: &str, lines: &str) -> Option<String> {
        if !Path::new(path).exists() {
            skip(&format!("{name} (apt-get install {package})"));
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for file in std::iter::once(path.to_owned()).chain(libraries(path)) {
            let target = folder.path().join("files").join(file.trim_start_matches('/'));
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            std::fs::copy(&file, target).unwrap();
        }
        let reference = format!("runbook-test/{}:1", self.name(name));
        Some(self.image_from(folder.path(), &reference, &format!("COPY files /\n{lines}")))
    }
}

/// What the dynamic linker loads for a program.
fn libraries(path: &str) -> Vec<String> {
    let listed = Command::new("ldd").arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(str::to_owned).collect()
}
