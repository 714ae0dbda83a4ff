//! A store that is elsewhere: a bucket. What comes back of it goes into another one.

use runbook::drivers::bucket::digest;
use runbook::primitive::Failure;
use serde_json::{Value, json};

use super::super::restore;
use super::subjects::{Doomed, Subject, doomed, hash, noise, slowly};
use crate::harness::Direct;
use crate::harness::bucket::{Bucket, REGION};
use crate::harness::cut::{self, Way};

/// A bucket, and another one to come back in.
pub struct Objects(Bucket, Bucket);

impl Objects {
    pub fn new() -> Option<Self> {
        Self::at("lies-objects")
    }

    pub fn at(name: &str) -> Option<Self> {
        Some(Self(Bucket::new(name)?, Bucket::new(&format!("{name}-back"))?))
    }

    fn of(bucket: &Bucket) -> Value {
        json!({ "bucket": bucket.url(), "access_key": "ACCESS", "secret_key": "SECRET", "region": REGION, "name": "media" })
    }

    /// Where it comes back.
    pub fn target(&self) -> Value {
        let mut target = Self::of(&self.1);
        target.as_object_mut().unwrap().remove("name");
        target
    }

    fn held(bucket: &Bucket) -> String {
        let (client, prefix) = (bucket.client(), bucket.place().key(""));
        let mut all = Vec::new();
        for object in client.list("").unwrap() {
            let name = &object.key[prefix.len()..];
            all.extend(name.as_bytes());
            all.extend(client.get(name).unwrap().unwrap().body);
        }
        hash(&all)
    }

    /// What came back.
    pub fn back(&self) -> String {
        Self::held(&self.1)
    }

    fn through(&self, way: &Way) -> Value {
        let url = self.0.url().replace(&format!(":{}/", self.0.port()), &format!(":{}/", way.port()));
        let mut source = Self::of(&self.0);
        source["bucket"] = json!(url);
        source
    }
}

impl Subject for Objects {
    fn name(&self) -> &'static str {
        "a bucket"
    }

    fn source(&self) -> Value {
        Self::of(&self.0)
    }

    fn alter(&self, _: &Direct, round: u64) {
        let client = &self.0.client();
        // One that is new each time, one that is written again, one that goes.
        for (name, bytes) in [(format!("recordings/{round}"), 200_000), ("minutes/a b".to_owned(), 70_000)] {
            let content = bytes::Bytes::from(noise(round, bytes));
            client.put(&name, std::slice::from_ref(&content), &digest(&content), false).unwrap();
        }
        client.remove(&format!("recordings/{}", round - 3)).unwrap();
    }

    fn look(&self, _: &Direct) -> String {
        Self::held(&self.0)
    }

    fn come_back(&self, direct: &Direct, id: &str) -> Result<String, Failure> {
        let (client, prefix) = (&self.1.client(), self.1.place().key(""));
        for object in client.list("").unwrap() {
            client.remove(&object.key[prefix.len()..]).unwrap();
        }
        restore(direct, json!(id), self.target(), json!({ "part": "media" }))?;
        Ok(self.back())
    }

    fn doomed(&self, _: &Direct) -> Vec<Doomed> {
        let with = |key: &str, value: Value| {
            let mut source = self.source();
            source[key] = value;
            source
        };
        let nobody = self.source()["bucket"].as_str().unwrap().replace(&format!(":{}/", self.0.port()), ":1/");
        let nowhere = self.source()["bucket"].as_str().unwrap().replace("/backups/", "/no-such-bucket/");
        let mut all = vec![
            doomed("nobody there", with("bucket", json!(nobody))),
            doomed("no such bucket", with("bucket", json!(nowhere))),
            doomed("no such secret", with("secret_key", json!("NONE"))),
            doomed("a key that is none", with("access_key", json!("SECRET"))),
            doomed("a secret of another key", with("secret_key", json!("ACCESS"))),
            doomed("another region", with("region", json!("elsewhere"))),
            doomed("a pattern that is none", with("exclude", json!(["a{b"]))),
            doomed("beside a command that fails", json!([self.source(), { "command": ["false"], "name": "x" }])),
        ];
        for bytes in [100, 1_500, 4_000, 100_000] {
            let way = Way::until(self.0.port(), bytes, cut::Blow::Cut, false);
            all.push(doomed(format!("the connection ends after {bytes} bytes"), self.through(&way)));
        }
        for bytes in [1_500, 100_000] {
            let way = Way::until(self.0.port(), bytes, cut::Blow::Stall, false);
            all.push(slowly(format!("nothing comes after {bytes} bytes"), self.through(&way)));
        }
        all
    }
}
