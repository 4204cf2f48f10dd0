//! A large delete in steps has exactly the result of one call, and is never visible half done.

use volvox_core::Rng;
use volvox_store::*;

fn filled(keys: usize) -> Store {
    let mut store = Store::new(StoreConfig::default());
    store.apply(&Command::LeaseGrant(LeaseGrantRequest { ttl: 60, id: 7 })).expect("a lease");
    for key in 0..keys {
        let (key, lease) = (format!("k{key:06}"), if key % 5 == 0 { 7 } else { 0 });
        let put = PutRequest { key: key.as_str().into(), value: "v".into(), lease, ..PutRequest::default() };
        store.apply(&Command::Put(put)).expect("a put");
    }
    store.take_events();
    store
}

#[test]
fn steps_leave_what_one_call_leaves() {
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let mut whole = filled(6000);
        let mut steps = whole.clone();
        let delete = Command::DeleteRange(DeleteRangeRequest {
            key: format!("k{:06}", rng.below(2000)).as_str().into(),
            range_end: if seed % 2 == 0 {
                "\0".into()
            } else {
                format!("k{:06}", 5000 + rng.below(900)).as_str().into()
            },
            prev_kv: seed % 3 == 0,
        });
        let expected = whole.apply(&delete);
        let before = steps.view();
        let mut reply = steps.apply_in_steps(&Identity::Cluster, &delete);
        assert!(reply.is_none() && steps.is_applying(), "seed {seed}");
        let mut calls = 0;
        while reply.is_none() {
            assert_eq!((steps.revision(), steps.view().len()), (before.revision(), before.len()), "seed {seed}");
            assert!(steps.take_events().is_empty(), "seed {seed}");
            steps.compact_step(100);
            reply = steps.apply_more(1 + rng.below(700) as usize).map(Ok);
            calls += 1;
        }
        assert!(calls > 5 && !steps.is_applying());
        assert_eq!(reply, Some(expected), "seed {seed}");
        assert_eq!(steps.take_events(), whole.take_events(), "seed {seed}");
        assert_eq!(steps.view().hash_kv(0), whole.view().hash_kv(0), "seed {seed}");
        assert_eq!(steps.view().lease_keys(7), whole.view().lease_keys(7), "seed {seed}");
        let parts = |store: &Store| store.view().checkpoint().map(|part| part.number()).collect::<Vec<_>>();
        assert_eq!(parts(&steps), parts(&whole), "seed {seed}");
        assert_eq!(before.len(), 6000, "a view never changes");
    }
}

#[test]
fn small_commands_are_applied_at_once() {
    let mut store = filled(10);
    let delete = DeleteRangeRequest { key: "k".into(), range_end: "l".into(), prev_kv: false };
    assert!(matches!(
        store.apply_in_steps(&Identity::Cluster, &Command::DeleteRange(delete)),
        Some(Ok(Reply::DeleteRange(_)))
    ));
    let delete = DeleteRangeRequest::default();
    assert_eq!(store.apply_in_steps(&Identity::Cluster, &Command::DeleteRange(delete)), Some(Err(Error::EmptyKey)));
}
