//! Redis: every key of every kind, read on its way into the repository, and given back to a server that runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runbook::primitive::{FailureKind, Probe};
use serde_json::{Value, json};

use super::{backup, restore, site, snapshots};
use crate::harness::{Direct, Redis};

/// Keys of every kind, in each of the ways in which a server keeps them.
const FILL: &str = "
    redis.call('set', 'text', 'some text'); redis.call('set', 'number', 12345); redis.call('set', 'long', string.rep('abc', 5000));
    redis.call('set', 'bytes', '\\0\\255\\r\\n'); redis.call('set', 'session', 'x', 'EX', 100000);
    for n = 1, 300 do
        redis.call('rpush', 'list', 'item ' .. n, n, -n * 1000000); redis.call('sadd', 'numbers', n * 70000);
        redis.call('sadd', 'set', 'member ' .. n); redis.call('zadd', 'scores', n / 7, 'player ' .. n);
        redis.call('hset', 'large hash', 'field ' .. n, 'value ' .. n); redis.call('xadd', 'stream', n .. '-1', 'k', 'v' .. n)
    end
    redis.call('rpush', 'huge', string.rep('y', 100000)); redis.call('sadd', 'few', 'a', 'b'); redis.call('zadd', 'small', 1, 'a', 2.5, 'b');
    redis.call('hset', 'small hash', 'a', 1, 'b', 'two', 'c', '-129', 'd', '40000', 'e', '-3000000000');
    redis.call('xgroup', 'create', 'stream', 'readers', '0'); redis.call('xreadgroup', 'group', 'readers', 'me', 'count', 5, 'streams', 'stream', '>');
    redis.call('select', 3); redis.call('set', 'elsewhere', 1)";

const KEYS: u64 = 16;

fn full(options: &[&str]) -> Option<Redis> {
    let server = Redis::start(options)?;
    server.script(FILL);
    server.ask(&["function", "load", "#!lua name=own\nredis.register_function('own', function() return 1 end)"]);
    Some(server)
}

fn source(server: &Redis) -> Value {
    json!({ "redis": server.address(), "name": "cache.rdb" })
}

fn facts(direct: &Direct) -> Value {
    let manifest = super::open(direct).manifest(&snapshots(direct)[0]).unwrap().unwrap();
    manifest.parts[0].facts["redis"].clone()
}

#[test]
fn every_key_comes_back_also_where_changes_are_appended_to_a_file() {
    let (Some(from), Some(mut to)) = (full(&[]), Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]))
    else {
        return;
    };
    let direct = site();
    let saved = backup(&direct, source(&from), json!({})).unwrap().value;
    let found = facts(&direct);
    assert_eq!(found["keys"], json!({ "hash": 2, "list": 2, "set": 3, "stream": 1, "string": 6, "zset": 2 }));
    assert_eq!(
        (&found["databases"], &found["expiring"], &found["functions"]),
        (&json!({ "0": 15, "3": 1 }), &json!(1), &json!(1))
    );
    let restored = restore(&direct, saved, source(&to), json!({})).unwrap();
    assert_eq!(restored["keys"], KEYS);
    assert_eq!(to.ask(&["debug", "digest"]), from.ask(&["debug", "digest"]));
    to.crash();
    assert_eq!(to.ask(&["debug", "digest"]), from.ask(&["debug", "digest"]));
    assert_eq!(to.ask(&["fcall", "own", "0"]), "1");
    assert!(to.ask(&["ttl", "session"]).parse::<i64>().unwrap() > 90000);
}

#[test]
fn what_is_saved_while_others_write_is_whole() {
    let (Some(from), Some(to)) = (full(&[]), Redis::start(&[])) else { return };
    let direct = site();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                from.script(
                    "for n = 1, 500 do redis.call('set', 'w' .. math.random(5000), math.random(), 'EX', 1 + n % 3) end",
                );
            }
        });
        for _ in 0..3 {
            let saved = backup(&direct, source(&from), json!({})).unwrap().value;
            restore(&direct, saved, source(&to), json!({ "replace": true })).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn keys_that_are_there_are_refused_and_saved_before_they_are_replaced() {
    let (Some(from), Some(to), Some(was)) = (full(&[]), Redis::start(&[]), Redis::start(&[])) else { return };
    let direct = site();
    let saved = backup(&direct, source(&from), json!({})).unwrap().value;
    to.ask(&["set", "mine", "kept"]);
    let failure = restore(&direct, saved.clone(), source(&to), json!({})).unwrap_err();
    assert_eq!((failure.kind, to.ask(&["dbsize"])), (FailureKind::Refused, "1".to_owned()), "{failure:?}");
    restore(&direct, saved, source(&to), json!({ "replace": true })).unwrap();
    assert_eq!((to.ask(&["get", "mine"]), to.ask(&["get", "text"])), (String::new(), "some text".to_owned()));
    restore(&direct, json!("latest"), source(&was), json!({ "job": "shop.before-restore" })).unwrap();
    assert_eq!(was.ask(&["get", "mine"]), "kept");
}

#[test]
fn every_kind_of_damage_is_noticed_and_the_number_of_keys_would_not_tell() {
    let (Some(from), Some(to)) = (full(&[]), Redis::start(&[])) else { return };
    let direct = site();
    let saved = backup(&direct, source(&from), json!({})).unwrap().value;
    let look = || {
        let call = json!([saved, source(&to)]);
        matches!(direct.recover("restore", Value::Null, call, Value::Null).unwrap(), Probe::Done(_))
    };
    let damages: [(&str, &[&str], bool); 9] = [
        ("a key is missing", &["del", "text"], true),
        ("a value is another", &["set", "text", "some test"], false),
        ("a member is another", &["srem", "set", "member 7"], false),
        ("the order of a list is another", &["lmove", "list", "list", "left", "right"], false),
        ("a score is another", &["zincrby", "scores", "1", "player 9"], false),
        ("a field is another", &["hset", "large hash", "field 9", "x"], false),
        ("a message is gone", &["xdel", "stream", "7-1"], false),
        ("a key does not end any more", &["persist", "session"], false),
        ("a key is in another database", &["move", "number", "3"], true),
    ];
    let mut told = 0;
    for (name, damage, counts_tell) in damages {
        restore(&direct, saved.clone(), source(&to), json!({ "replace": true })).unwrap();
        assert!(look(), "before: {name}");
        let count = to.ask(&["dbsize"]);
        to.ask(damage);
        assert!(!look(), "{name} is not noticed");
        assert_eq!(to.ask(&["dbsize"]) != count, counts_tell, "{name}");
        told += u32::from(counts_tell);
    }
    assert_eq!((damages.len(), told), (9, 2));
}

#[test]
fn a_dump_that_fails_is_no_snapshot() {
    let Some(server) = full(&[]) else { return };
    server.ask(&["config", "set", "requirepass", "secret"]);
    let direct = site();
    direct.write("secrets.env", "STORE='correct horse battery'\nCACHE='wrong'\n");
    let faults = [
        ("nobody there", json!({ "redis": "127.0.0.1:1" })),
        ("a password that is none", json!({ "redis": server.address(), "password": "CACHE" })),
        ("no container", json!({ "redis": "cache", "container": "no-such-container" })),
        ("no secret", json!({ "redis": server.address(), "password": "NONE" })),
    ];
    for (name, source) in faults {
        let start = Instant::now();
        backup(&direct, source, json!({ "within": "60s" })).expect_err(name);
        assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
        assert!(snapshots(&direct).is_empty(), "{name}");
    }
    for wrong in [json!({ "redis": "" }), json!({ "redis": "a@b" }), json!({ "redis": "x", "engine": "unix:///x" })] {
        let failure = backup(&direct, wrong.clone(), json!({})).unwrap_err();
        assert!(failure.message.starts_with("argument `source`: "), "{wrong}: {failure}");
    }
}
