use std::collections::BTreeMap;

use super::{
    EnvFile, Logging, Service, attachment, block_io, build, command, dependency, deploy, develop, devices, foreign,
    healthcheck, hook, hosts, mount, port,
};
use crate::compose::cursor::Cursor;
use crate::compose::fields::{Fields, Unmet};
use crate::compose::quantity::Duration;

/// Keys that ask for what nothing here does, why, and what to do instead. Without them the service would not be what it promises.
const UNMET: &[Unmet] = &[
    ("credential_spec", "belongs to Windows containers", "remove the key"),
    (
        "models",
        "needs the model runner of Docker Desktop",
        "run the model as a service, and give its address in `environment`",
    ),
    (
        "provider",
        "names a plugin of Docker Compose, which alone can run it",
        "put the service into a profile that is not active here",
    ),
    (
        "pre_start",
        "runs containers before the service, which is not supported",
        "write them as a service, and wait for it with `condition: service_completed_successfully`",
    ),
    (
        "post_start",
        "runs commands inside the started container, which is not supported",
        "run them with `exec` after `up`",
    ),
    (
        "pre_stop",
        "runs commands before the container stops, which is not supported",
        "run them with `exec` before `up` or `down`, or act on the stop signal",
    ),
    (
        "use_api_socket",
        "hands the engine and its credentials to the container, which is not supported",
        "mount the engine's socket as a volume",
    ),
];

/// Keys that have no effect on the engines this runs on, and why.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("attach", "has no effect: nothing runs in the foreground here"),
    ("develop", "has no effect: only `docker compose watch` acts on it"),
    ("cpu_count", "has no effect: it belongs to Windows containers"),
    ("cpu_percent", "has no effect: it belongs to Windows containers"),
    ("isolation", "has no effect: it belongs to Windows containers"),
    ("pull_refresh_after", "has no effect: Compose reads it and does nothing with it"),
];

/// Reads a service in its long syntax, with `extends` already applied. `variables` are the project's, for entries without a value.
#[allow(clippy::too_many_lines)] // one for each key
pub(crate) fn read(name: &str, cursor: &Cursor, variables: &BTreeMap<String, String>) -> Option<Service> {
    let fields = cursor.fields()?;
    fields.without_effect(WITHOUT_EFFECT);
    let image = fields.string("image");
    let service = Service {
        name: name.to_owned(),
        env_files: fields.get("env_file").map(|cursor| env_files(&cursor)).unwrap_or_default(),
        label_files: fields.string_or_list("label_file"),
        unmet: fields.unmet(UNMET),
        newer: Vec::new(),
        alone: Vec::new(),
        profiles: fields.strings("profiles"),
        annotations: fields.text_pairs("annotations"),
        attach: fields.get("attach").and_then(|cursor| cursor.bool()),
        build: fields.get("build").and_then(|cursor| build::read(&cursor, variables)),
        develop: fields.get("develop").and_then(|cursor| develop::read(&cursor)),
        blkio_config: fields.get("blkio_config").and_then(|cursor| block_io::read(&cursor)),
        cap_add: fields.strings("cap_add"),
        cap_drop: fields.strings("cap_drop"),
        cgroup_parent: fields.string("cgroup_parent"),
        cgroup: fields.choice("cgroup", &["host", "private"]),
        cpu_count: fields.int("cpu_count"),
        cpu_percent: fields.float("cpu_percent"),
        cpu_period: fields.int("cpu_period"),
        cpu_quota: fields.int("cpu_quota"),
        cpu_rt_period: fields.int("cpu_rt_period"),
        cpu_rt_runtime: fields.int("cpu_rt_runtime"),
        cpus: fields.float("cpus"),
        cpuset: fields.string("cpuset"),
        cpu_shares: fields.int("cpu_shares"),
        command: fields.nullable("command").and_then(|cursor| command::read(&cursor)),
        configs: fields.get("configs").map(|cursor| mount::files(&cursor, None)).unwrap_or_default(),
        container_name: fields.get("container_name").map(|cursor| container_name(&cursor)).unwrap_or_default(),
        credential_spec: fields.get("credential_spec").and_then(|cursor| foreign::credential_spec(&cursor)),
        depends_on: fields.get("depends_on").map(|cursor| dependency::read(&cursor)).unwrap_or_default(),
        deploy: fields.get("deploy").and_then(|cursor| deploy::read(&cursor)),
        device_cgroup_rules: fields.strings("device_cgroup_rules"),
        devices: fields.get("devices").map(|cursor| devices::devices(&cursor)).unwrap_or_default(),
        dns: fields.string_or_list("dns").into_iter().filter(|server| !server.is_empty()).collect(),
        dns_opt: fields.strings("dns_opt"),
        dns_search: fields.string_or_list("dns_search"),
        domain_name: fields.string("domainname"),
        entrypoint: fields.nullable("entrypoint").and_then(|cursor| command::read(&cursor)),
        provider: fields.get("provider").and_then(|cursor| foreign::provider(&cursor)),
        environment: environment(&fields, variables),
        expose: fields.get("expose").map(|cursor| cursor.scalars()).unwrap_or_default(),
        external_links: fields.strings("external_links"),
        extra_hosts: fields.get("extra_hosts").map(|cursor| hosts::read(&cursor)).unwrap_or_default(),
        group_add: fields.get("group_add").map(|cursor| cursor.scalars()).unwrap_or_default(),
        gpus: fields.get("gpus").map(|cursor| deploy::device_requests(&cursor)).unwrap_or_default(),
        hostname: fields.string("hostname"),
        healthcheck: fields.get("healthcheck").and_then(|cursor| healthcheck::read(&cursor)),
        init: fields.get("init").and_then(|cursor| cursor.bool()),
        ipc: fields.string("ipc"),
        isolation: fields.string("isolation"),
        labels: fields.text_pairs("labels"),
        links: fields.strings("links"),
        logging: fields.get("logging").and_then(|cursor| logging(&cursor)),
        mem_limit: fields.bytes("mem_limit"),
        mem_reservation: fields.bytes("mem_reservation"),
        memswap_limit: fields.bytes("memswap_limit"),
        mem_swappiness: fields.int("mem_swappiness"),
        mac_address: fields.string("mac_address"),
        models: fields.get("models").map(|cursor| foreign::models(&cursor)).unwrap_or_default(),
        network_mode: fields.string("network_mode"),
        networks: fields.get("networks").map(|cursor| attachment::read(&cursor)).unwrap_or_default(),
        oom_kill_disable: fields.bool("oom_kill_disable"),
        oom_score_adj: fields.int("oom_score_adj"),
        pid: fields.string("pid"),
        pids_limit: fields.int("pids_limit"),
        platform: fields.string("platform"),
        ports: fields.get("ports").map(|cursor| port::read(&cursor)).unwrap_or_default(),
        privileged: fields.bool("privileged"),
        pull_policy: fields.get("pull_policy").map(|cursor| pull_policy(&cursor)).unwrap_or_default(),
        read_only: fields.bool("read_only"),
        restart: fields.get("restart").map(|cursor| restart(&cursor)).unwrap_or_default(),
        runtime: fields.string("runtime"),
        scale: fields.get("scale").and_then(|cursor| cursor.int()),
        secrets: fields.get("secrets").map(|cursor| mount::files(&cursor, Some("/run/secrets"))).unwrap_or_default(),
        security_opt: fields.strings("security_opt"),
        shm_size: fields.bytes("shm_size"),
        stdin_open: fields.bool("stdin_open"),
        stop_grace_period: fields.get("stop_grace_period").and_then(|cursor| cursor.duration()),
        stop_signal: fields.string("stop_signal"),
        storage_opt: fields.text_pairs("storage_opt"),
        sysctls: fields.text_pairs("sysctls"),
        tmpfs: fields.string_or_list("tmpfs"),
        tty: fields.bool("tty"),
        ulimits: fields.get("ulimits").map(|cursor| devices::ulimits(&cursor)).unwrap_or_default(),
        use_api_socket: fields.bool("use_api_socket"),
        user: fields.string("user"),
        userns_mode: fields.string("userns_mode"),
        uts: fields.string("uts"),
        volumes: fields.get("volumes").map(|cursor| mount::read(&cursor)).unwrap_or_default(),
        volumes_from: fields.strings("volumes_from"),
        working_dir: fields.string("working_dir"),
        pre_start: fields.get("pre_start").map(|cursor| hook::before(&cursor, &image)).unwrap_or_default(),
        post_start: fields.get("post_start").map(|cursor| hook::inside(&cursor)).unwrap_or_default(),
        pre_stop: fields.get("pre_stop").map(|cursor| hook::inside(&cursor)).unwrap_or_default(),
        image,
    };
    if let Some(number) = fields.get("mem_swappiness").filter(|_| service.mem_swappiness == 0) {
        number.warn("has no effect: 0 is what is not set, and the engine's own value counts");
    }
    let policy = fields.get("deploy").filter(|_| !service.restart.is_empty());
    if let Some(policy) = policy.and_then(|deploy| deploy.fields()?.get("restart_policy")) {
        policy.warn("has no effect: `restart` says when");
    }
    fields.close();
    Some(service)
}

/// Values written here; a key without one takes the project's variable, and stays without when there is none.
fn environment(fields: &Fields, project: &BTreeMap<String, String>) -> BTreeMap<String, Option<String>> {
    let Some(cursor) = fields.get("environment") else { return BTreeMap::new() };
    let pairs = cursor.pairs();
    if let Some(name) = pairs.keys().find(|name| name.ends_with(char::is_whitespace)) {
        cursor.error_with_hint(format!("the name `{name}` ends with a space"), "write NAME=value without spaces");
    }
    pairs.into_iter().map(|(key, value)| (key.clone(), value.or_else(|| project.get(&key).cloned()))).collect()
}

fn env_files(cursor: &Cursor) -> Vec<EnvFile> {
    let file = |cursor: &Cursor| {
        let fields = cursor.fields()?;
        let file = EnvFile {
            path: fields.string("path"),
            required: fields.get("required").is_none_or(|cursor| cursor.bool().unwrap_or(true)),
            raw: fields.choice("format", &["raw"]) == "raw",
        };
        if !fields.has("path") {
            cursor.error("`path` is missing");
        }
        fields.close();
        Some(file)
    };
    cursor.list().iter().filter_map(file).collect()
}

fn logging(cursor: &Cursor) -> Option<Logging> {
    let fields = cursor.fields()?;
    let logging = Logging { driver: fields.string("driver"), options: fields.text_pairs("options") };
    fields.close();
    Some(logging)
}

fn container_name(cursor: &Cursor) -> String {
    let name = cursor.string().unwrap_or_default();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if !name.is_empty()
        && (name.len() < 2 || !name.chars().all(valid) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()))
    {
        cursor.error_with_hint(
            format!("`{name}` is not a container name"),
            "use letters, digits, `_`, `.` and `-`, and begin with a letter or digit",
        );
    }
    name
}

fn pull_policy(cursor: &Cursor) -> String {
    let policy = cursor.string().unwrap_or_default();
    match policy.as_str() {
        "if_not_present" => "missing".to_owned(),
        "" | "always" | "never" | "missing" | "build" | "refresh" | "daily" | "weekly" => policy,
        _ if policy.strip_prefix("every_").is_some_and(|every| Duration::parse(every).is_some()) => policy,
        other => {
            cursor.error_with_hint(
                format!("`{other}` is not a pull policy"),
                "use `always`, `missing`, `never`, `build`, `daily`, `weekly` or `every_12h`",
            );
            policy
        }
    }
}

fn restart(cursor: &Cursor) -> String {
    let policy = cursor.string().unwrap_or_default();
    let (name, count) = policy.split_once(':').unwrap_or((&policy, "0"));
    let valid = matches!(name, "" | "no" | "always" | "unless-stopped" | "on-failure")
        && count.parse::<u32>().is_ok()
        && (name == "on-failure" || !policy.contains(':'));
    if !valid {
        cursor.error_with_hint(
            format!("`{policy}` is not a restart policy"),
            "use `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`",
        );
    }
    policy
}
