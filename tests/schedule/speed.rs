use std::time::{Duration, Instant};

use runbook::schedule::{DstPolicy, Expression, Fires, Zone};

use super::expressions::{Dice, expression};

#[test]
fn ten_thousand_schedules_are_recomputed_while_nobody_waits() {
    let mut dice = Dice::new(3);
    let zones =
        ["Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe"].map(|name| Zone::named(name).unwrap());
    let readable = std::iter::repeat_with(|| Expression::parse(&expression(&mut dice))).filter_map(Result::ok);
    let schedules: Vec<Expression> = readable.take(10_000).collect();
    let began = Instant::now();
    let fires = schedules
        .iter()
        .zip(zones.iter().cycle())
        .filter_map(|(expression, zone)| Fires::after(expression, zone, DstPolicy::Debian, 1_774_746_000).next());
    assert!(fires.count() > 9_900);
    let took = began.elapsed();
    eprintln!("10,000 schedules recomputed in {took:?}");
    // 100 ms in the program that is given out; tests are built without optimization, and share the machine.
    assert!(took < Duration::from_secs(8), "{took:?}");
}
