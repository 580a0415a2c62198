//! Events: in order, numbered for good, bounded.

mod common;

use brookbox_store::{MOST_EVENTS, MOST_EVENTS_AT_ONCE, Severity, Store};
use common::{event, store};

#[test]
fn the_newest_20_000_are_kept_and_numbers_only_grow() {
    let (dir, store) = store();
    let mut last = 0;
    for batch in 0..41 {
        let ids = store.append_events(&(0..500).map(|n| event(batch * 500 + n)).collect::<Vec<_>>()).unwrap();
        assert!(ids.len() == 500 && ids[0] > last && ids.windows(2).all(|pair| pair[0] < pair[1]));
        last = ids[499];
    }
    drop(store);
    let store = Store::open(dir.path()).unwrap();

    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = store.events(before, 777).unwrap();
        let Some(oldest) = page.last() else { break };
        before = Some(oldest.id);
        seen.extend(page.into_iter().map(|event| (event.id, event.time.as_ms())));
    }
    assert_eq!(seen.len() as i64, MOST_EVENTS);
    assert_eq!((seen[0], seen[19_999]), ((20_500, 20_499), (501, 500)), "the newest first");
    assert!(seen.windows(2).all(|pair| pair[0].0 == pair[1].0 + 1));
    assert_eq!(store.events(None, u32::MAX).unwrap().len(), MOST_EVENTS_AT_ONCE as usize);
    assert!(store.events(None, 0).unwrap().is_empty() && store.events(Some(i64::MIN), 5).unwrap().is_empty());
    assert_eq!(store.append_events(&[event(0)]).unwrap(), [20_501]);
    assert!(store.append_events(&[]).unwrap().is_empty());
}

#[test]
fn an_event_comes_back_as_it_was_and_reads_as_in_the_contract() {
    let (_dir, store) = store();
    let mut sent = event(1_795_266_099_000);
    (sent.code, sent.severity) = ("destination_retrying".into(), Severity::Warning);
    sent.params =
        serde_json::Map::from_iter([("name".to_owned(), "Club".into()), ("reason".to_owned(), "timeout".into())]);
    let ids = store.append_events(std::slice::from_ref(&sent)).unwrap();
    let [found] = <[_; 1]>::try_from(store.events(None, 10).unwrap()).unwrap();
    assert_eq!((found.id, found.time, &found.params), (ids[0], sent.time, &sent.params));
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        serde_json::json!({
            "id": 1, "time": "2026-11-21T13:01:39.000Z", "code": "destination_retrying", "severity": "warning",
            "destination": "d1", "params": {"name": "Club", "reason": "timeout"}, "sentence": sent.sentence,
        })
    );
}

#[test]
fn words_from_outside_do_not_fill_the_disk() {
    let (_dir, store) = store();
    let mut huge = event(0);
    huge.sentence = "é".repeat(10_000);
    huge.params.insert("program".into(), "x".repeat(100_000).into());
    store.append_events(&[huge]).unwrap();
    let found = store.events(None, 1).unwrap().remove(0);
    assert_eq!(found.sentence, "é".repeat(500));
    assert!(found.params.is_empty());
}

#[test]
fn a_filter_lets_pass_what_it_names() {
    use brookbox_store::{EventFilter, Time};
    let (_dir, store) = store();
    let events: Vec<_> = (0..6)
        .map(|number| {
            let mut event = event(1000 * number);
            event.code = if number % 2 == 0 { "destination_slow".into() } else { "publisher_lost".into() };
            event.severity = [Severity::Info, Severity::Warning, Severity::Error][usize::try_from(number).unwrap() % 3];
            event.destination = (number < 3).then(|| "d1".into());
            event.input = (number >= 3).then(|| "main".into());
            event
        })
        .collect();
    let ids = store.append_events(&events).unwrap();
    let found = |filter: EventFilter| -> Vec<usize> {
        let found = store.events_where(&filter, 100).unwrap();
        found.iter().map(|event| ids.iter().position(|id| *id == event.id).unwrap()).collect()
    };
    let all = EventFilter::default;
    assert_eq!(found(all()), [5, 4, 3, 2, 1, 0]);
    assert_eq!(found(EventFilter { code: Some("publisher_lost".into()), ..all() }), [5, 3, 1]);
    assert_eq!(found(EventFilter { destination: Some("d1".into()), ..all() }), [2, 1, 0]);
    assert_eq!(found(EventFilter { input: Some("main".into()), ..all() }), [5, 4, 3]);
    assert_eq!(found(EventFilter { at_least: Some(Severity::Info), ..all() }).len(), 6);
    assert_eq!(found(EventFilter { at_least: Some(Severity::Warning), ..all() }), [5, 4, 2, 1]);
    assert_eq!(found(EventFilter { at_least: Some(Severity::Error), ..all() }), [5, 2]);
    let (from, until) = (Some(Time::from_ms(2000)), Some(Time::from_ms(4000)));
    assert_eq!(found(EventFilter { from, until, ..all() }), [4, 3, 2]);
    assert_eq!(found(EventFilter { before: Some(ids[2]), code: Some("publisher_lost".into()), ..all() }), [1]);
}
