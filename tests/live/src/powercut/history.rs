//! The requests and acknowledgements of clients, and what they demand of the cluster after a power cut.
//!
//! Every key has one writer, which asks for one change after the other and never continues with a key of whose last
//! change it does not know what became of it. So the state of a key after a cut is one of few: what the last
//! acknowledged change made of it, or what the change in flight would.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use volvox_replica::View;

/// One change of one key.
#[derive(Clone, Debug)]
pub struct Change {
    /// The value written; `None` for a delete.
    pub value: Option<String>,
    /// The shared sequence when it was asked for.
    pub began: u64,
    /// The shared sequence when its acknowledgement was seen, and its revision.
    pub acknowledged: Option<(u64, i64)>,
}

/// All changes of a run, by key, in the order in which they were asked for.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The changes of each key.
    pub changes: BTreeMap<String, Vec<Change>>,
    /// Acknowledged compactions: the shared sequence, and the revision.
    pub compactions: Vec<(u64, i64)>,
}

impl History {
    /// How many changes were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.changes.values().flatten().filter(|change| change.acknowledged.is_some()).count()
    }

    /// The state that must be found after a power cut at this sequence.
    pub fn demands_at(&self, cut: u64) -> Demands {
        let mut demands = Demands::default();
        for (key, changes) in &self.changes {
            let asked: Vec<&Change> = changes.iter().filter(|change| change.began <= cut).collect();
            let promised = |change: &&Change| change.acknowledged.filter(|(seen, _)| *seen <= cut);
            let last = asked.iter().rposition(|change| promised(change).is_some());
            let mut allowed = Vec::new();
            match last {
                Some(last) => {
                    let revision = promised(&asked[last]).map(|(_, revision)| revision);
                    demands.revision = demands.revision.max(revision.unwrap_or(0));
                    demands.writes += asked[..=last].iter().filter(|change| promised(change).is_some()).count() as u64;
                    allowed.push(State { value: asked[last].value.clone(), revision });
                }
                None => allowed.push(State { value: None, revision: None }),
            }
            let open = &asked[last.map_or(0, |last| last + 1)..];
            allowed.extend(open.iter().map(|change| State { value: change.value.clone(), revision: None }));
            demands.keys.insert(key.clone(), allowed);
        }
        let compactions = self.compactions.iter().filter(|(seen, _)| *seen <= cut);
        demands.compacted = compactions.map(|(_, revision)| *revision).max().unwrap_or(-1);
        demands
    }
}

/// How a key may be found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Its value; `None` when it is absent.
    value: Option<String>,
    /// The revision of the change that made it so, where the client was told.
    revision: Option<i64>,
}

/// The state that must be found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Demands {
    /// The acknowledged writes behind it.
    pub writes: u64,
    /// The store has reached this revision.
    pub revision: i64,
    /// And is compacted up to this one.
    pub compacted: i64,
    /// Each key is in one of these states.
    pub keys: BTreeMap<String, Vec<State>>,
}

impl Demands {
    /// Holds a node's picture against them.
    ///
    /// # Errors
    /// Says what is missing, or what was never written.
    pub fn check(&self, view: &View) -> Result<()> {
        let store = &view.store;
        if store.revision() < self.revision {
            bail!("the store is at revision {}; {} was acknowledged", store.revision(), self.revision);
        }
        if store.compacted() < self.compacted {
            bail!("the store is compacted up to {}; {} was acknowledged", store.compacted(), self.compacted);
        }
        for (key, allowed) in &self.keys {
            let found = store.get(key.as_bytes());
            let value = found.as_ref().map(|pair| pair.value.as_slice());
            let fits = |state: &State| {
                let same_revision =
                    found.as_ref().zip(state.revision).is_none_or(|(pair, told)| pair.mod_revision == told);
                state.value.as_ref().map(|value| value.as_bytes()) == value && same_revision
            };
            if !allowed.iter().any(fits) {
                let shown =
                    found.as_ref().map(|pair| (pair.mod_revision, String::from_utf8_lossy(pair.value.as_slice())));
                let shown = shown.map(|(revision, value)| format!("{} at revision {revision}", head(&value)));
                bail!("{key} is {}; it should be {}", shown.unwrap_or_else(|| "absent".to_owned()), list(allowed));
            }
        }
        Ok(())
    }

    /// As text, to be kept beside the image that it belongs to.
    pub fn to_text(&self) -> String {
        let state = |state: &State| json!([state.value, state.revision]);
        let states = |states: &Vec<State>| Value::from(states.iter().map(state).collect::<Vec<_>>());
        let keys: serde_json::Map<String, Value> =
            self.keys.iter().map(|(key, allowed)| (key.clone(), states(allowed))).collect();
        let (writes, revision, compacted) = (self.writes, self.revision, self.compacted);
        json!({ "writes": writes, "revision": revision, "compacted": compacted, "keys": keys }).to_string()
    }

    /// Reads that text back.
    ///
    /// # Errors
    /// When it is another text.
    pub fn from_text(text: &str) -> Result<Demands> {
        let document: Value = serde_json::from_str(text).context("the demands are not JSON")?;
        let state = |pair: &Value| State { value: pair[0].as_str().map(str::to_owned), revision: pair[1].as_i64() };
        let states = |states: &Value| states.as_array().map(|states| states.iter().map(state).collect());
        let keys = document["keys"].as_object().context("the demands name no keys")?;
        let keys = keys.iter().map(|(key, allowed)| Some((key.clone(), states(allowed)?)));
        Ok(Demands {
            writes: document["writes"].as_u64().context("the demands name no writes")?,
            revision: document["revision"].as_i64().context("the demands name no revision")?,
            compacted: document["compacted"].as_i64().context("the demands name no compaction")?,
            keys: keys.collect::<Option<_>>().context("a key has no states")?,
        })
    }
}

/// Values are long, and begin with what tells them apart.
fn head(value: &str) -> String {
    value.chars().take(24).collect()
}

fn list(allowed: &[State]) -> String {
    let state = |state: &State| match (&state.value, state.revision) {
        (Some(value), Some(revision)) => format!("{} at revision {revision}", head(value)),
        (Some(value), None) => head(value),
        (None, _) => "absent".to_owned(),
    };
    allowed.iter().map(state).collect::<Vec<_>>().join(", or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(value: Option<&str>, began: u64, acknowledged: Option<(u64, i64)>) -> Change {
        Change { value: value.map(str::to_owned), began, acknowledged }
    }

    #[test]
    fn a_cut_allows_what_was_promised_and_what_was_under_way() {
        let changes =
            vec![change(Some("a"), 1, Some((5, 2))), change(None, 6, Some((9, 3))), change(Some("b"), 10, None)];
        let history = History { changes: BTreeMap::from([("k".to_owned(), changes)]), compactions: vec![(7, 2)] };
        let states = |cut| list(&history.demands_at(cut).keys["k"]);
        assert_eq!(states(0), "absent");
        assert_eq!(states(4), "absent, or a");
        assert_eq!(states(5), "a at revision 2");
        assert_eq!(states(8), "a at revision 2, or absent");
        assert_eq!(states(9), "absent");
        assert_eq!(states(99), "absent, or b");
        assert_eq!(history.demands_at(6).compacted, -1);
        let demands = history.demands_at(99);
        assert_eq!((demands.compacted, demands.revision, demands.writes), (2, 3, 2));
        assert_eq!(Demands::from_text(&demands.to_text()).unwrap(), demands);
    }
}
