//! The systemd unit of the service.

use std::path::Path;

/// What a unit is written for.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The project's name.
    pub project: &'a str,
    /// This program.
    pub program: &'a Path,
    /// The project's folder.
    pub root: &'a Path,
    /// Its state folder.
    pub state: &'a Path,
    /// Who it runs as.
    pub user: &'a str,
}

impl Unit<'_> {
    /// The name of the unit: `runbook-shop.service`.
    pub fn name(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        format!("runbook-{}.service", self.project.chars().map(plain).collect::<String>())
    }

    /// The unit.
    ///
    /// `KillMode=mixed` and the drain: the service gets SIGTERM, waits for its runs, and only what is left after the time
    /// limit is killed, which the run log makes safe. The hardening leaves what runs need: the network, the Docker socket
    /// (the group `docker`), the project and the state folder. `RestrictSUIDSGID` is left out: with it the kernel has no `openat2`, with
    /// which runs reach folders that others may write to.
    pub fn text(&self) -> String {
        let Self { project, program, root, state, user } = self;
        let (program, root, state) = (program.display(), root.display(), state.display());
        format!(
            "\
[Unit]
Description=Scheduled runbooks of {project}
Wants=network-online.target
After=network-online.target docker.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={program} serve
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={root}
Environment=RUNBOOK_STATE={state}
User={user}
SupplementaryGroups=docker
Restart=always
RestartSec=1s
WatchdogSec=2min
KillMode=mixed
TimeoutStopSec=15min
OOMPolicy=continue

UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths={root} {state}
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
        )
    }
}
