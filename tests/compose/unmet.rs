//! What the specification knows and this does not do: the files load, and whoever makes containers refuses, or nobody is misled by silence.

use super::{Project, shown};

/// What the service `a` asks for and would not get.
fn unmet(service: &str) -> Vec<String> {
    let app = Project::new(service).app();
    let problems: Vec<_> = app.unmet().into_iter().cloned().collect();
    problems.iter().map(|problem| format!("{problem} | {}", problem.hint.as_deref().unwrap_or_default())).collect()
}

fn warnings(file: &str) -> Vec<String> {
    shown(&Project::new(file).app().warnings)
}

#[test]
fn hooks_plugins_and_models_are_read_and_not_met() {
    let file = "
models: {llm: {model: ai/smollm2}}
services:
  a:
    image: x
    models: [llm]
    pre_start: [{command: migrate}]
    post_start: [{command: [warm, up]}]
    pre_stop: [{command: drain}]
    use_api_socket: true
  b:
    provider: {type: cloud, options: {size: [1, 2]}}
";
    assert_eq!(
        unmet(file),
        [
            "compose.yaml:6:5: services.a.models: needs the model runner of Docker Desktop | run the model as a service, and give its address in `environment`",
            "compose.yaml:7:5: services.a.pre_start: runs containers before the service, which is not supported | write them as a service, and wait for it with `condition: service_completed_successfully`",
            "compose.yaml:8:5: services.a.post_start: runs commands inside the started container, which is not supported | run them with `exec` after `up`",
            "compose.yaml:9:5: services.a.pre_stop: runs commands before the container stops, which is not supported | run them with `exec` before `up` or `down`, or act on the stop signal",
            "compose.yaml:10:5: services.a.use_api_socket: hands the engine and its credentials to the container, which is not supported | mount the engine's socket as a volume",
            "compose.yaml:12:5: services.b.provider: names a plugin of Docker Compose, which alone can run it | put the service into a profile that is not active here",
        ]
    );
    let config = Project::new(file);
    assert_eq!(config.config("/services/a/pre_start/0/image"), "x");
    assert_eq!(config.config("/services/b/provider/options/size"), serde_json::json!(["1", "2"]));
    assert_eq!(config.config("/services/b/networks"), serde_json::Value::Null);
}

#[test]
fn what_only_a_swarm_keeps_is_not_met_where_a_service_uses_it() {
    let file = "
services:
  a: {image: x, secrets: [token]}
  b: {image: x}
secrets:
  token: {external: true}
configs:
  other: {external: true}
";
    assert_eq!(
        unmet(file),
        ["compose.yaml:6:11: secrets.token.external: needs a swarm, which keeps it | use `file` or `environment`"]
    );
}

#[test]
fn paths_that_no_linux_engine_mounts_are_not_met() {
    let file = r"
services:
  a:
    image: x
    volumes: ['d:/data', {type: bind, source: ., target: data}, 'C:\data:/data', {type: npipe, source: \\.\pipe\x, target: /x}]
";
    let found = unmet(file);
    assert_eq!(
        found,
        [
            "compose.yaml:5:15: services.a.volumes[0]: `d:/data` is a Windows path, which is not supported | if the letter before the colon is the name of a volume, give it a longer one",
            "compose.yaml:5:26: services.a.volumes[1]: `data` is not an absolute path | paths in a container begin with `/`",
            r"compose.yaml:5:65: services.a.volumes[2]: `C:\data` is a Windows path, which is not supported | use a path of this host",
            "compose.yaml:5:82: services.a.volumes[3]: a mount of type `npipe` is not supported | use a volume, a bind or a tmpfs",
        ]
    );
}

#[test]
fn what_only_buildkit_does_is_noted_of_the_build() {
    let file = "
services:
  a:
    build:
      context: .
      ssh: [default]
      secrets: [token]
      additional_contexts: [base=docker-image://debian]
      provenance: false
      sbom: true
secrets: {token: {environment: TOKEN}}
";
    let app = Project::new(file).set("TOKEN", "t").app();
    let build = app.services["a"].build.as_ref().unwrap();
    assert_eq!(
        shown(&build.unmet),
        [
            "compose.yaml:8:7: services.a.build.additional_contexts: needs BuildKit, where images are built here by the engine's own builder",
            "compose.yaml:7:7: services.a.build.secrets: needs BuildKit, where images are built here by the engine's own builder",
            "compose.yaml:6:7: services.a.build.ssh: needs BuildKit, where images are built here by the engine's own builder",
        ]
    );
    assert_eq!(build.additional_contexts["base"], "docker-image://debian");
    assert_eq!(
        shown(&app.warnings),
        ["compose.yaml:10:13: services.a.build.sbom: has no effect: the engine's own builder writes no attestations"]
    );
}

#[test]
fn what_a_network_or_a_mount_is_asked_for_and_would_not_do_is_not_met() {
    let file = "
services:
  a:
    image: x
    networks: {n: {gw_priority: 3, interface_name: eth7}}
    volumes:
      - {type: bind, source: ., target: /x, bind: {recursive: disabled}}
      - {type: bind, source: ., target: /y, bind: {selinux: z, create_host_path: false}}
networks: {n: {}}
";
    assert_eq!(
        unmet(file),
        [
            "compose.yaml:5:20: services.a.networks.n.gw_priority: chooses the network of the default gateway, which is not supported | remove the key",
            "compose.yaml:5:36: services.a.networks.n.interface_name: names the interface in the container, which is not supported | remove the key",
            "compose.yaml:7:9: services.a.volumes[0]: `recursive: disabled` is not supported: mounts below it are mounted too | remove the key, or mount a folder that has no other mounts below it",
            "compose.yaml:8:9: services.a.volumes[1]: `selinux` and `create_host_path: false` are not supported together | remove one of them",
        ]
    );
}

#[test]
fn keys_that_older_engines_pass_over_are_noted() {
    let file = "
services:
  a:
    image: x
    annotations: {a: b}
    mac_address: '02:42:ac:11:65:43'
    healthcheck: {test: [CMD, ok], start_interval: 1s}
    networks: {n: {mac_address: '02:42:ac:11:65:44'}}
    volumes: [{type: volume, source: data, target: /x, volume: {subpath: y}}]
networks: {n: {}}
volumes: {data: {}}
";
    let app = Project::new(file).app();
    let newer = app.services["a"].newer.iter().map(|key| format!("1.{} {} {}", key.minor, key.is_vital, key.problem));
    assert_eq!(
        newer.collect::<Vec<_>>(),
        [
            "1.43 false compose.yaml:5:5: services.a.annotations: needs Docker 24: this engine keeps none",
            "1.44 false compose.yaml:7:36: services.a.healthcheck.start_interval: needs Docker 25: this engine checks at `interval` from the start on",
            "1.44 true compose.yaml:6:5: services.a.mac_address: needs Docker 25: this engine would give another address",
            "1.44 true compose.yaml:8:20: services.a.networks.n.mac_address: needs Docker 25: this engine would give another address",
            "1.45 true compose.yaml:9:15: services.a.volumes[0]: needs Docker 26: this engine would mount all of the volume, and not only `subpath`",
        ]
    );
}

#[test]
fn no_key_is_passed_over_in_silence() {
    let file = "
services:
  a:
    image: x
    attach: true
    restart: always
    mem_swappiness: 0
    develop: {watch: [{path: ., action: sync, target: /x}]}
    configs: [c]
    networks: [n]
    volumes: ['.:/y:cached', {type: bind, source: ., target: /z, consistency: delegated}]
    deploy:
      labels: {a: b}
      resources: {reservations: {cpus: '0.5'}}
      restart_policy: {condition: any, delay: 5s, window: 10s, max_attempts: 3}
configs: {c: {content: text, labels: {a: b}, driver_opts: {a: b}}}
networks:
  n: {enable_ipv4: false}
  o: {external: true, driver: bridge}
";
    assert_eq!(
        warnings(file),
        [
            "compose.yaml:11:15: services.a.volumes[0]: the option `cached` has no meaning and is ignored",
            "compose.yaml:5:13: services.a.attach: has no effect: nothing runs in the foreground here",
            "compose.yaml:8:14: services.a.develop: has no effect: only `docker compose watch` acts on it",
            "compose.yaml:13:15: services.a.deploy.labels: has no effect outside a swarm: containers have those of the service",
            "compose.yaml:14:40: services.a.deploy.resources.reservations.cpus: has no effect outside a swarm: an engine keeps no processors free",
            "compose.yaml:15:47: services.a.deploy.restart_policy.delay: has no effect outside a swarm: an engine waits longer before each restart by itself",
            "compose.yaml:15:59: services.a.deploy.restart_policy.window: has no effect outside a swarm: for an engine 10 seconds are a success",
            "compose.yaml:15:78: services.a.deploy.restart_policy.max_attempts: has no effect without `condition: on-failure`",
            "compose.yaml:11:79: services.a.volumes[1].consistency: has no effect: it belongs to Docker Desktop",
            "compose.yaml:7:21: services.a.mem_swappiness: has no effect: 0 is what is not set, and the engine's own value counts",
            "compose.yaml:15:23: services.a.deploy.restart_policy: has no effect: `restart` says when",
            "compose.yaml:18:20: networks.n.enable_ipv4: has no effect: networks have IPv4 addresses here",
            "compose.yaml:19:31: networks.o.driver: has no effect: an external network is made by somebody else",
            "compose.yaml:16:38: configs.c.labels: has no effect outside a swarm",
            "compose.yaml:16:59: configs.c.driver_opts: has no effect outside a swarm",
        ]
    );
}

#[test]
fn keys_without_effect_are_warned_of() {
    let file = "
services:
  a:
    image: x
    cpu_count: 2
    isolation: hyperv
    deploy:
      endpoint_mode: vip
      resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: ssd, value: 1}}]}}
";
    assert_eq!(
        warnings(file),
        [
            "compose.yaml:5:16: services.a.cpu_count: has no effect: it belongs to Windows containers",
            "compose.yaml:6:16: services.a.isolation: has no effect: it belongs to Windows containers",
            "compose.yaml:8:22: services.a.deploy.endpoint_mode: has no effect outside a swarm",
            "compose.yaml:9:53: services.a.deploy.resources.reservations.generic_resources: has no effect outside a swarm",
        ]
    );
}
