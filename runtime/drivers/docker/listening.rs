//! On which ports a container's processes really listen.

use super::{Container, Engine, ExecRequest, OutputStream};

/// The state `LISTEN` in `/proc/net/tcp` (`include/net/tcp_states.h` of Linux).
const LISTEN: &str = "0A";

impl Engine {
    /// TCP addresses its processes listen on, as in `0.0.0.0:8080`; empty when that cannot be found out.
    pub async fn listening(&self, container: &Container) -> Vec<String> {
        let Some(process) = container.pid else { return Vec::new() };
        let mut tables = String::new();
        // The process number is one of the engine's machine: only the container's own number proves that it is ours.
        let cgroup = std::fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
        let here = self.may_be_this_machine() && cgroup.contains(&container.id);
        if here {
            for table in ["tcp", "tcp6"] {
                tables += &std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
            }
        } else {
            let command = ["cat", "/proc/net/tcp", "/proc/net/tcp6"].map(str::to_owned).to_vec();
            let limit = Some(std::time::Duration::from_secs(3));
            let request = ExecRequest { command, limit, ..ExecRequest::default() };
            let mut keep = |stream, line: &str| {
                if stream == OutputStream::Stdout {
                    tables.push_str(line);
                    tables.push('\n');
                }
            };
            // Without a `cat` nobody can tell.
            let _ = self.exec(&container.id, &request, None, &mut keep).await;
        }
        listeners(&tables)
    }
}

/// Reads `/proc/net/tcp` and `/proc/net/tcp6`.
fn listeners(tables: &str) -> Vec<String> {
    let mut found: Vec<String> = tables
        .lines()
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (address, port) = columns.get(1)?.split_once(':')?;
            if *columns.get(3)? != LISTEN {
                return None;
            }
            let port = u16::from_str_radix(port, 16).ok()?;
            let address = address_text(address)?;
            // The engine's own name server, which listens in every container of a network.
            (address != "127.0.0.11").then(|| format!("{address}:{port}"))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// An address as the kernel prints it: 32-bit words in the machine's byte order, which is taken to be little endian.
fn address_text(hex: &str) -> Option<String> {
    let words: Vec<u32> =
        (0..hex.len() / 8).filter_map(|i| u32::from_str_radix(hex.get(i * 8..i * 8 + 8)?, 16).ok()).collect();
    match words.as_slice() {
        [word] => Some(std::net::Ipv4Addr::from(word.swap_bytes()).to_string()),
        [a, b, c, d] => {
            let bits = [a, b, c, d].iter().fold(0u128, |bits, word| bits << 32 | u128::from(word.swap_bytes()));
            Some(format!("[{}]", std::net::Ipv6Addr::from(bits)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let tables = "  sl  local_address rem_address   st tx_queue\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
            1: 00000000:0050 00000000:0000 0A 00000000:00000000\n\
            2: 0100007F:1F90 0100007F:D2F0 01 00000000:00000000\n\
            3: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0\n\
            4: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0\n\
            5: 0B00007F:88FB 00000000:0000 0A 00000000:00000000\n";
        assert_eq!(listeners(tables), ["0.0.0.0:80", "127.0.0.1:8080", "[::1]:81", "[::]:80"]);
    }
}
