use crate::units::ByteSize;

/// A duration for people, in at most 7 columns: `12ms`, `8.1s`, `2m05s`, `1h02m`.
pub fn elapsed(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    match milliseconds {
        0..1_000 => format!("{milliseconds}ms"),
        1_000..60_000 => format!("{seconds}.{}s", milliseconds % 1_000 / 100),
        60_000..3_600_000 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A size for people: `1.5 GiB`.
pub fn bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::elapsed;

    #[test]
    fn a_duration_never_takes_more_than_seven_columns() {
        let shown = [0, 999, 1_000, 59_999, 60_000, 125_000, 3_599_999, 3_600_000, 360_000_000].map(elapsed);
        assert_eq!(shown, ["0ms", "999ms", "1.0s", "59.9s", "1m00s", "2m05s", "59m59s", "1h00m", "100h00m"]);
    }
}
