use super::*;
use crate::session::data::Data;
use crate::session::deadline::Deadline;
use crate::session::identity::Tag;
use crate::session::record::{self, Decoded};
use crate::session::record_header::{RecentWrite, RecordHeader};
use crate::session::saving::Group;
use crate::session::session::Stored;

/// 1 January 2030, in milliseconds of Unix time.
const NOW: i64 = 1_893_456_000_000;

fn key(name: impl core::fmt::Display) -> StorageKey {
    StorageKey::listed(format!("edge-session:session:{name}"))
}

fn tag(number: u32) -> Tag {
    number.to_be_bytes()
}

fn head(generation: u32, tags: &[u32]) -> RecordHeader {
    let end = Deadline(i64::MAX);
    let tags = tags.iter().map(|number| tag(*number)).collect();
    RecordHeader { deadline: end, absolute: end, generation, tags, rotations: 0, writes: Vec::new(), owner: None }
}

/// The bytes of a record with one member, which was written at `time`.
fn bytes(head: &RecordHeader, member: &str, time: Option<i64>) -> Vec<u8> {
    let mut data = Data::default();
    data.set(member, b"1".as_slice().into());
    data.mark_stored();
    let mut head = head.clone();
    head.writes.extend(time.map(|time| RecentWrite { time, key: format!("\"{member}\"").into_bytes().into() }));
    record::encode(&head, &data)
}

fn group(generation: u32, tags: &[u32]) -> Group {
    let base = Stored::new(head(generation - 1, &tags[1..]));
    Group { base, head: head(generation, tags), data: Data::default(), time: NOW }
}

/// Puts a record whose acknowledgement follows at once.
fn put(memory: &IsolateMemory, key: &StorageKey, head: &RecordHeader, bytes: &[u8], now: i64) {
    let ticket = memory.begin_flight(key, head, bytes, now);
    memory.acknowledge_put(key, ticket, now);
}

#[track_caller]
fn newest(memory: &IsolateMemory, key: &StorageKey, stored: Option<&[u8]>, now: i64) -> Option<Vec<u8>> {
    let newest = memory.newest(key, stored.map(<[u8]>::to_vec), now);
    assert_eq!(newest.merged, None);
    newest.bytes
}

#[test]
fn a_record_is_remembered_for_130_seconds_from_its_acknowledgement() {
    let (memory, key, head) = (IsolateMemory::default(), key("a"), head(1, &[1]));
    let bytes = bytes(&head, "a", None);
    let ticket = memory.begin_flight(&key, &head, &bytes, NOW);
    assert_eq!(newest(&memory, &key, None, NOW), None, "a put that was not acknowledged proves nothing");
    memory.acknowledge_put(&key, ticket, NOW + 100);
    // The same applies to a clock that was set back.
    for (elapsed, is_remembered) in [(0, true), (130_000, true), (130_001, false), (-130_000, true), (-130_001, false)]
    {
        let expected = is_remembered.then(|| bytes.clone());
        assert_eq!(newest(&memory, &key, None, NOW + 100 + elapsed), expected, "{elapsed}");
    }
    assert_eq!(newest(&memory, &self::key("b"), None, NOW), None, "another key has no record");
}

#[test]
fn a_put_that_failed_is_not_remembered_nor_is_a_record_that_was_deleted() {
    let (memory, key, head) = (IsolateMemory::default(), key("a"), head(1, &[1]));
    let bytes = bytes(&head, "a", None);
    let ticket = memory.begin_flight(&key, &head, &bytes, NOW);
    memory.fail_put(&key, ticket, 0, NOW);
    memory.acknowledge_put(&key, ticket, NOW);
    assert_eq!(newest(&memory, &key, None, NOW), None);
    put(&memory, &key, &head, &bytes, NOW);
    assert!(newest(&memory, &key, None, NOW).is_some());
    memory.forget(&key);
    assert_eq!(newest(&memory, &key, None, NOW), None);
    assert_eq!(held(&memory), 0);
}

#[test]
fn the_newer_one_of_the_stored_record_and_the_remembered_one_counts() {
    let own = head(5, &[5, 4, 3]);
    let own_bytes = bytes(&own, "own", Some(NOW));
    let cases = [
        ("older", head(4, &[4, 3]), false),
        ("newer", head(6, &[6, 5, 4, 3]), true),
        ("newer, by several saves", head(9, &[9, 8, 7, 6, 5]), true),
        ("diverged, without a list of its writes", head(5, &[55, 4, 3]), true),
        ("a late first record under the key, without such a list", head(2, &[22]), false),
    ];
    for (case, stored, is_stored) in cases {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        put(&memory, &key, &own, &own_bytes, NOW);
        let stored = bytes(&stored, "stored", None);
        let expected = if is_stored { &stored } else { &own_bytes };
        assert_eq!(newest(&memory, &key, Some(&stored), NOW).as_ref(), Some(expected), "{case}");
        assert_eq!(newest(&memory, &key, Some(&stored), NOW + 130_001), Some(stored), "{case}, once forgotten");
    }
    // Its list of writes would allow a merge, which is not necessary.
    let older = bytes(&head(4, &[4, 3]), "stored", Some(NOW - 1));
    let memory = IsolateMemory::default();
    put(&memory, &key("a"), &own, &own_bytes, NOW);
    assert_eq!(newest(&memory, &key("a"), Some(&older), NOW), Some(own_bytes.clone()));
    for junk in [b"".as_slice(), b"junk", b"{\"edge-session\":2}"] {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        put(&memory, &key, &own, &own_bytes, NOW);
        assert_eq!(
            newest(&memory, &key, Some(junk), NOW).as_deref(),
            Some(junk),
            "an unreadable record is returned as it is"
        );
    }
}

#[test]
fn records_that_diverged_are_merged_and_the_merge_is_not_remembered() {
    let (memory, key, own) = (IsolateMemory::default(), key("a"), head(5, &[5, 3]));
    let own_bytes = bytes(&own, "own", Some(NOW));
    put(&memory, &key, &own, &own_bytes, NOW);
    for generation in [4, 6] {
        let stored = bytes(&head(generation, &[66, 3]), "stored", Some(NOW + 1));
        let newest = memory.newest(&key, Some(stored), NOW);
        assert_eq!(newest.merged, Some(tag(if generation > 5 { 5 } else { 66 })), "the save of the older branch");
        let Decoded::Record(record) = record::decode(newest.bytes.unwrap()) else { panic!("{generation}") };
        assert_eq!(record.data.members().count(), 2);
        assert!(record.head.tags.contains(&tag(5)) && record.head.tags.contains(&tag(66)));
    }
    assert_eq!(newest(&memory, &key, None, NOW), Some(own_bytes));
}

#[test]
fn a_record_that_has_forgotten_the_own_save_is_merged_with_it_if_it_lacks_its_write() {
    let (memory, key, own) = (IsolateMemory::default(), key("a"), head(5, &[5, 3]));
    put(&memory, &key, &own, &bytes(&own, "own", Some(NOW)), NOW);
    let later = head(13, &[13, 12, 11, 10, 9, 8, 7, 6]);
    let with_it = bytes(&later, "own", Some(NOW));
    assert_eq!(newest(&memory, &key, Some(&with_it), NOW), Some(with_it));
    let without_it = bytes(&later, "stored", Some(NOW + 1));
    let newest = memory.newest(&key, Some(without_it), NOW);
    assert_eq!(newest.merged, Some(tag(5)));
    let Decoded::Record(record) = record::decode(newest.bytes.unwrap()) else { panic!() };
    assert_eq!(record.data.members().count(), 2);
}

#[test]
fn an_end_is_remembered_for_130_seconds_and_a_rotation_that_was_not_acknowledged_for_15() {
    let cycled = Revocation::Cycled { at: NOW };
    for (revocation, is_acknowledged, seconds) in
        [(Revocation::Ended, false, 130), (Revocation::Ended, true, 130), (cycled, false, 15), (cycled, true, 130)]
    {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        assert_eq!(memory.revocation(&key, NOW), None);
        memory.mark(&key, revocation, NOW);
        if is_acknowledged {
            memory.acknowledge_revocation(&key, revocation);
        }
        for sign in [1, -1] {
            let elapsed = sign * seconds * 1_000;
            assert_eq!(memory.revocation(&key, NOW + elapsed), Some(revocation), "{revocation:?} {elapsed}");
            assert_eq!(memory.revocation(&key, NOW + elapsed + sign), None, "{revocation:?} {elapsed}");
        }
    }
}

#[test]
fn a_rotation_does_not_replace_an_end_and_an_end_replaces_a_rotation() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    memory.mark(&key, Revocation::Cycled { at: NOW }, NOW);
    memory.mark(&key, Revocation::Cycled { at: NOW + 1 }, NOW + 1);
    assert_eq!(memory.revocation(&key, NOW), Some(Revocation::Cycled { at: NOW + 1 }));
    memory.mark(&key, Revocation::Ended, NOW);
    memory.mark(&key, Revocation::Cycled { at: NOW }, NOW);
    assert_eq!(memory.revocation(&key, NOW), Some(Revocation::Ended));
}

#[test]
fn the_tombstone_of_a_rotation_does_not_acknowledge_an_end() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    memory.mark(&key, Revocation::Cycled { at: NOW }, NOW);
    memory.mark(&key, Revocation::Ended, NOW);
    memory.acknowledge_revocation(&key, Revocation::Cycled { at: NOW });
    assert!(!memory.is_revoked(&key, NOW));
    memory.acknowledge_revocation(&key, Revocation::Ended);
    assert!(memory.is_revoked(&key, NOW));
}

#[test]
fn saves_that_meet_a_put_in_flight_form_one_group_which_one_member_puts_after_it() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    assert!(matches!(memory.admit(&key, None, NOW), Admission::Free));
    let flight = memory.begin_flight(&key, &head(1, &[1]), b"in flight", NOW);
    assert!(
        matches!(memory.admit(&key, None, NOW), Admission::Behind(newest) if newest.bytes.as_deref() == Some(b"in flight"))
    );
    let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
    let Admission::Join(pending) = memory.admit(&key, None, NOW) else { panic!("the second member joins") };
    assert_eq!(pending.ticket, ticket);
    memory.return_group(&key, pending);
    for _ in 0..2 {
        assert!(
            matches!(memory.poll_group(&key, ticket, NOW + 1), GroupState::Wait(None)),
            "the put in flight is not acknowledged yet"
        );
    }
    memory.acknowledge_put(&key, flight, NOW + 2);
    assert!(matches!(memory.poll_group(&key, ticket, NOW + 2), GroupState::Due(_)));
    memory.set_group_bytes(&key, b"group");
    assert!(matches!(memory.poll_group(&key, ticket, NOW + 2), GroupState::Wait(None)), "one member puts it");
    assert!(
        matches!(memory.admit(&key, None, NOW + 2), Admission::Behind(newest) if newest.bytes.as_deref() == Some(b"group"))
    );
    assert_eq!(newest(&memory, &key, None, NOW + 2).as_deref(), Some(b"in flight".as_slice()));
    memory.acknowledge_put(&key, ticket, NOW + 3);
    for _ in 0..2 {
        assert!(
            matches!(memory.poll_group(&key, ticket, NOW + 3), GroupState::Acknowledged(group, _) if group.head.generation == 2)
        );
    }
    assert_eq!(newest(&memory, &key, None, NOW + 3).as_deref(), Some(b"group".as_slice()));
    assert!(matches!(memory.admit(&key, None, NOW + 3), Admission::Free));
}

#[test]
fn a_group_whose_put_failed_is_gone_for_its_members() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
    let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
    memory.acknowledge_put(&key, flight, NOW);
    assert!(matches!(memory.poll_group(&key, ticket, NOW), GroupState::Due(_)));
    memory.fail_put(&key, ticket, 1_000, NOW);
    assert!(matches!(memory.poll_group(&key, ticket, NOW), GroupState::Gone));
    assert!(matches!(memory.poll_group(&key, ticket + 1, NOW), GroupState::Gone), "an unknown group, too");
}

#[test]
fn a_put_of_over_five_seconds_counts_as_lost_and_its_late_acknowledgement_is_ignored() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    let flight = memory.begin_flight(&key, &head(1, &[1]), b"slow", NOW);
    let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
    let mut now = NOW;
    while now < NOW + 5_000 {
        now += 1_000;
        assert!(matches!(memory.poll_group(&key, ticket, now), GroupState::Wait(None)), "{now}");
    }
    assert!(matches!(memory.poll_group(&key, ticket, now + 1), GroupState::Due(_)));
    memory.set_group_bytes(&key, b"group");
    assert!(!memory.acknowledge_put(&key, flight, now + 2), "the group went on without it");
    assert_eq!(newest(&memory, &key, None, now + 2), None);
    assert!(memory.acknowledge_put(&key, ticket, now + 3));
    assert!(!memory.acknowledge_put(&key, flight, now + 4));
    assert_eq!(newest(&memory, &key, None, now + 4).as_deref(), Some(b"group".as_slice()));
}

#[test]
fn a_lost_put_counts_once_it_is_acknowledged_unless_others_went_on_without_it() {
    let late = NOW + 6_000;
    for (case, counts) in [("nothing else", true), ("a put", false), ("a put in flight", false), ("a group", false)] {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        put(&memory, &key, &head(1, &[1]), b"before", NOW);
        let flight = memory.begin_flight(&key, &head(2, &[2, 1]), b"slow", NOW);
        assert!(matches!(memory.admit(&key, None, late), Admission::Free), "it counts as lost");
        match case {
            "a put" => put(&memory, &key, &head(2, &[3, 1]), b"other", late),
            "a put in flight" => _ = memory.begin_flight(&key, &head(2, &[3, 1]), b"other", late),
            "a group" => _ = memory.begin_group(&key, group(2, &[3, 1]), late),
            _ => {}
        }
        assert_eq!(memory.acknowledge_put(&key, flight, late + 1), counts, "{case}");
        let expected: &[u8] = match case {
            "nothing else" => b"slow",
            "a put" => b"other",
            _ => b"before",
        };
        assert_eq!(newest(&memory, &key, None, late + 1).as_deref(), Some(expected), "{case}");
    }
    let (memory, key) = (IsolateMemory::default(), key("a"));
    let flight = memory.begin_flight(&key, &head(1, &[1]), b"slow", NOW);
    memory.admit(&key, None, NOW + 30_001);
    assert!(!memory.acknowledge_put(&key, flight, NOW + 30_001), "it is forgotten after half a minute");
}

#[test]
fn a_group_that_no_request_polls_for_two_and_a_half_seconds_is_dropped() {
    for (elapsed, is_there) in [(2_500, true), (2_501, false)] {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
        memory.begin_group(&key, group(2, &[2, 1]), NOW);
        memory.acknowledge_put(&key, flight, NOW);
        let admission = memory.admit(&key, None, NOW + elapsed);
        assert_eq!(matches!(admission, Admission::Join(_)), is_there, "{admission:?}");
        assert_eq!(matches!(admission, Admission::Free), !is_there, "{admission:?}");
    }
}

#[test]
fn a_put_that_failed_delays_the_next_one() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
    memory.fail_put(&key, flight, 1_000, NOW);
    assert!(matches!(memory.admit(&key, None, NOW + 999), Admission::TooSoon));
    let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW + 999);
    assert!(matches!(memory.poll_group(&key, ticket, NOW + 999), GroupState::Wait(Some(1))));
    assert!(matches!(memory.poll_group(&key, ticket, NOW + 1_000), GroupState::Due(_)));
    assert!(!memory.0.borrow().limits_writes, "the store may have failed for another reason");
}

#[test]
fn puts_are_spaced_once_the_store_refused_one_within_the_interval() {
    let memory = IsolateMemory::default();
    let (first, second) = (key("a"), key("b"));
    put(&memory, &first, &head(1, &[1]), b"", NOW);
    assert!(matches!(memory.admit(&first, None, NOW), Admission::Free), "a store without a limit never waits");
    let late = memory.begin_flight(&first, &head(2, &[2, 1]), b"", NOW + 1_021);
    memory.fail_put(&first, late, 0, NOW + 1_021);
    assert!(!memory.0.borrow().limits_writes);
    let refused = memory.begin_flight(&first, &head(2, &[2, 1]), b"", NOW + 1_020);
    memory.fail_put(&first, refused, 0, NOW + 1_020);
    // The limit applies to every key.
    put(&memory, &second, &head(1, &[1]), b"", NOW + 3_000);
    assert!(matches!(memory.admit(&second, None, NOW + 3_000 + 1_019), Admission::TooSoon));
    assert!(matches!(memory.admit(&second, None, NOW + 3_000 + 1_020), Admission::Free));
    assert!(
        matches!(memory.admit(&key("c"), None, NOW + 3_000), Admission::Free),
        "a key that was not written does not wait"
    );
}

#[test]
fn a_login_holds_the_lane_of_the_key_that_it_replaces_for_five_seconds_at_most() {
    let (memory, key) = (IsolateMemory::default(), key("a"));
    assert!(memory.hold(&key, NOW));
    assert!(matches!(memory.admit(&key, None, NOW + 5_000), Admission::Held));
    assert!(matches!(memory.admit(&key, None, NOW + 5_001), Admission::Free), "its request has vanished");
    assert!(memory.hold(&key, NOW));
    memory.release(&key);
    assert!(matches!(memory.admit(&key, None, NOW), Admission::Free));
    // A login waits for a put in flight and for a group.
    let flight = memory.begin_flight(&key, &head(1, &[1]), b"", NOW);
    assert!(!memory.hold(&key, NOW));
    let ticket = memory.begin_group(&key, group(2, &[2, 1]), NOW);
    memory.acknowledge_put(&key, flight, NOW);
    assert!(!memory.hold(&key, NOW));
    assert!(matches!(memory.poll_group(&key, ticket, NOW), GroupState::Due(_)));
    assert!(!memory.hold(&key, NOW));
    memory.acknowledge_put(&key, ticket, NOW);
    assert!(memory.hold(&key, NOW));
}

#[test]
fn a_clock_that_was_set_back_makes_no_put_and_no_group_wait() {
    for back in [10_000, 3_600_000, 100 * 365 * 86_400_000] {
        let (memory, key) = (IsolateMemory::default(), key("a"));
        put(&memory, &key, &head(1, &[1]), b"", NOW);
        let refused = memory.begin_flight(&key, &head(2, &[2, 1]), b"", NOW);
        memory.fail_put(&key, refused, 1_000, NOW);
        assert!(matches!(memory.admit(&key, None, NOW), Admission::TooSoon));
        assert!(matches!(memory.admit(&key, None, NOW - back), Admission::Free), "{back}");
        put(&memory, &key, &head(2, &[2, 1]), b"", NOW);
        let _vanished = memory.begin_flight(&key, &head(3, &[3, 2]), b"", NOW);
        memory.hold(&key, NOW);
        assert!(matches!(memory.admit(&key, None, NOW - back), Admission::Free), "{back}");
    }
    // The same before 1970, for a key without a refused put.
    let (memory, key) = (IsolateMemory::default(), key("a"));
    put(&memory, &key, &head(1, &[1]), b"", -1_000);
    assert!(matches!(memory.admit(&key, None, -1_000), Admission::Free));
}

#[test]
fn at_most_512_keys_are_remembered_those_that_were_used_last() {
    let memory = IsolateMemory::default();
    let head = head(1, &[1]);
    for number in 0..3_000 {
        let now = NOW + number;
        put(&memory, &key(number), &head, b"record", now);
        memory.mark(&key(format!("mark {number}")), Revocation::Ended, now);
        let lanes = memory.0.borrow().lanes.len();
        assert!(lanes <= MAX_LANES, "{lanes}");
        for recent in number.saturating_sub(50).max(0)..=number {
            assert!(newest(&memory, &key(recent), None, now).is_some(), "{recent} of {number}");
            assert!(memory.revocation(&key(format!("mark {recent}")), now).is_some(), "{recent} of {number}");
        }
    }
}

/// Returns the size of all records that are remembered or in flight.
fn held(memory: &IsolateMemory) -> usize {
    memory.0.borrow().lanes.iter().map(|lane| lane.size()).sum()
}

#[test]
fn records_take_at_most_four_mebibytes() {
    let memory = IsolateMemory::default();
    let head = head(1, &[1]);
    let bytes = vec![b' '; 1024 * 1024];
    for number in 0..50 {
        put(&memory, &key(number), &head, &bytes, NOW + number);
        let held = held(&memory);
        assert!(held <= MAX_BYTES && held <= memory.0.borrow().bytes, "{held}");
        assert!(newest(&memory, &key(number), None, NOW + number).is_some());
    }
    // A record above the limit is remembered alone.
    put(&memory, &key("large"), &head, &[0; MAX_BYTES + 1], NOW + 50);
    assert_eq!(memory.0.borrow().lanes.len(), 1);
    put(&memory, &key("small"), &head, &bytes, NOW + 51);
    assert_eq!(held(&memory), bytes.len());
}

#[test]
fn puts_and_groups_of_vanished_requests_are_forgotten_when_they_expire() {
    let memory = IsolateMemory::default();
    let head = head(1, &[1]);
    let bytes = vec![b' '; 128 * 1024];
    for number in 0..2_000 {
        // Each is put by a request that vanishes; 100 of them are in flight at a time.
        let now = NOW + number * 51;
        let _ticket = memory.begin_flight(&key(number), &head, &bytes, now);
        memory.begin_group(&key(number), group(2, &[2, 1]), now);
        let lanes = memory.0.borrow().lanes.len();
        assert!(lanes <= MAX_LANES, "{lanes}");
        assert!(held(&memory) <= 100 * bytes.len(), "{}", held(&memory));
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_old_records_in_memory() {
    let memory = IsolateMemory::default();
    let head = head(1, &[1]);
    for number in 0..MAX_LANES {
        put(&memory, &key(number), &head, b"before", NOW);
    }
    let now = NOW - 3_600_000;
    for number in 0..300 {
        put(&memory, &key(format!("after {number}")), &head, b"after", now + number);
        assert!(memory.0.borrow().lanes.len() <= MAX_LANES);
    }
    for number in 0..300 {
        assert!(newest(&memory, &key(format!("after {number}")), None, now + 300).is_some(), "{number}");
    }
}
