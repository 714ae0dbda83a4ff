//! A port of this machine that leads to one of the host.

use crate::harness::Project;
use crate::harness::http::{Reply, Server};
use crate::harness::sshd::Sshd;

fn free() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_port_leads_there_while_its_block_runs() {
    let Some(server) = Sshd::start() else { return };
    let site = Server::start(|_| Reply::text(200, "from afar"));
    let local = free();
    let port = site.port();
    let script = format!(
        r#"let host = ssh("web");
        let said = host.forward({port}, |port| http_check(`http://127.0.0.1:${{port}}/`).body, #{{ local: {local} }});
        info(`it said ${{said}}`);
        host.forward(1, || {{
            try {{ http_check("http://127.0.0.1:{local}/", #{{ within: "1s" }}); }} catch {{ info("nothing there"); }}
        }}, #{{ local: {local} }});"#
    );
    Project::script(&script)
        .file("runbook.toml", &server.entry("web"))
        .run()
        .success()
        .says("it said from afar")
        .says("nothing there");
    assert!(std::net::TcpStream::connect(("127.0.0.1", local)).is_err());
}

#[test]
fn a_port_that_is_taken_is_told() {
    let Some(server) = Sshd::start() else { return };
    let script = format!("ssh(\"web\").forward({}, || info(\"never\"));", server.port());
    let ran = Project::script(&script).file("runbook.toml", &server.entry("web")).run();
    ran.code(1).says(&format!("listen on port {} of this machine", server.port())).says("the option `local`");
}
