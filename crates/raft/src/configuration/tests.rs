use super::*;
use alloc::vec;
use volvox_core::{Rng, decode_all};

/// A quorum, by the definition: list every subset of a set and keep those of more than half.
fn majorities(set: &BTreeSet<Member>) -> Vec<BTreeSet<Member>> {
    let members: Vec<Member> = set.iter().copied().collect();
    (0u32..1 << members.len())
        .map(|bits| (0..members.len()).filter(|at| bits & (1 << at) != 0).map(|at| members[at]).collect())
        .filter(|subset: &BTreeSet<Member>| subset.len() * 2 > members.len())
        .collect()
}

fn is_quorum_by_definition(configuration: &Configuration, agreeing: &BTreeSet<Member>) -> bool {
    let within = |set: &BTreeSet<Member>| majorities(set).iter().any(|majority| majority.is_subset(agreeing));
    within(&configuration.voters) && (configuration.outgoing.is_empty() || within(&configuration.outgoing))
}

fn draw(rng: &mut Rng) -> Configuration {
    let mut set = |most: u64| {
        let count = rng.below(most + 1);
        (0..count).map(|_| Member::new(1 + rng.below(7), 1 + rng.below(2))).collect::<BTreeSet<_>>()
    };
    Configuration { voters: set(5), outgoing: set(4), learners: set(2) }
}

#[test]
fn quorums_are_those_of_the_definition() {
    let mut rng = Rng::new(11);
    for round in 0..2_000 {
        let configuration = draw(&mut rng);
        let agreeing: BTreeSet<Member> = configuration.members().into_iter().filter(|_| rng.below(2) == 0).collect();
        assert_eq!(
            configuration.is_quorum(|member| agreeing.contains(&member)),
            is_quorum_by_definition(&configuration, &agreeing),
            "round {round}: {agreeing:?} in {configuration}"
        );
    }
}

#[test]
fn the_quorum_index_is_the_highest_that_a_quorum_reached() {
    let mut rng = Rng::new(12);
    for round in 0..2_000 {
        let configuration = draw(&mut rng);
        let reached: Vec<(Member, Index)> =
            configuration.members().into_iter().map(|member| (member, Index(rng.below(6)))).collect();
        let of = |member: Member| reached.iter().find(|(other, _)| *other == member).map_or(Index::ZERO, |(_, at)| *at);
        let by_definition = (0..6)
            .rev()
            .map(Index)
            .find(|index| {
                let there = reached.iter().filter(|(_, at)| at >= index).map(|(member, _)| *member).collect();
                is_quorum_by_definition(&configuration, &there)
            })
            .unwrap_or(Index::ZERO);
        assert_eq!(configuration.quorum_index(of), by_definition, "round {round}: {reached:?} in {configuration}");
    }
}

#[test]
fn quorums_of_a_change_always_meet() {
    let mut rng = Rng::new(13);
    for _ in 0..300 {
        let old = Configuration { outgoing: BTreeSet::new(), ..draw(&mut rng) };
        let new = Configuration { outgoing: BTreeSet::new(), ..draw(&mut rng) };
        let voters: Vec<Member> = new.voters.iter().copied().collect();
        let joint = old.change_to(&voters, &[]);
        let quorums = |configuration: &Configuration| -> Vec<BTreeSet<Member>> {
            let all: Vec<Member> = configuration.all_voters().collect();
            (0u32..1 << all.len())
                .map(|bits| (0..all.len()).filter(|at| bits & (1 << at) != 0).map(|at| all[at]).collect())
                .filter(|set: &BTreeSet<Member>| configuration.is_quorum(|member| set.contains(&member)))
                .collect()
        };
        for step in [(&old, &joint), (&joint, &joint.leave_joint())] {
            for left in quorums(step.0) {
                assert!(
                    quorums(step.1).iter().all(|right| !left.is_disjoint(right)),
                    "{} and {} decide apart",
                    step.0,
                    step.1
                );
            }
        }
    }
}

#[test]
fn nobody_is_no_quorum() {
    assert!(!Configuration::default().is_quorum(|_| true));
    assert_eq!(Configuration::default().quorum_index(|_| Index(9)), Index::ZERO);
}

#[test]
fn a_change_of_learners_only_needs_no_joint_configuration() {
    let (one, two, three) = (Member::new(1, 1), Member::new(2, 1), Member::new(3, 1));
    let configuration = Configuration::of([one, two]);
    let with_learner = configuration.change_to(&[one, two], &[three, two]);
    assert!(!with_learner.is_joint());
    assert_eq!(with_learner.learners, [three].into_iter().collect());
    assert!(configuration.change_to(&[one], &[]).is_joint());
}

#[test]
fn encodings_come_back_and_hostile_ones_are_refused() {
    let mut rng = Rng::new(14);
    for _ in 0..100 {
        let configuration = draw(&mut rng);
        assert_eq!(decode_all::<Configuration>(&configuration.to_bytes()), Ok(configuration));
    }
    assert_eq!(decode_all::<Configuration>(&[9]), Err(DecodeError::Unknown("version of a configuration", 9)));
    let twice = vec![VERSION, 2, 1, 1, 1, 1, 0, 0];
    assert_eq!(decode_all::<Configuration>(&twice), Err(DecodeError::Invalid("order of members")));
    let mut many = vec![VERSION, MEMBERS_MAX as u8 + 1];
    many.resize(200, 1);
    assert_eq!(decode_all::<Configuration>(&many), Err(DecodeError::TooLong));
}
