//! A client and a server joined back to back: whatever pieces the bytes come in, the same things happen.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test panics where it fails"
)]

mod common;

use brookbox_rtmp::{ClientConfig, ClientEvent, Message, Refusal, ServerEvent, Stage, handshake, kind};
use common::{KEY, Pair, message, shown};
use proptest::prelude::*;

fn config(name: &str) -> ClientConfig {
    ClientConfig::new("live", "rtmp://box/live", name)
}

fn published(pair: &mut Pair, step: impl FnMut() -> usize + Clone) {
    pair.run(step.clone());
    assert!(matches!(pair.client_events[..], [ClientEvent::Connected, ClientEvent::PublishSent]));
    assert_eq!(pair.server_events.len(), 2);
    pair.server.accept_publish();
    pair.run(step);
    assert!(matches!(pair.client_events[2..], [ClientEvent::PublishStarted { stream_id: 1 }]));
}

#[test]
fn publish_media_and_end() {
    for form in [
        handshake::Form::Simple,
        handshake::Form::Digest(handshake::Scheme::First),
        handshake::Form::Digest(handshake::Scheme::Second),
    ] {
        let mut pair = Pair::new(ClientConfig { handshake: form, ..config(&format!("{KEY}?a=b&c=d?e")) });
        published(&mut pair, || 4096);
        assert_eq!(shown(&pair.server_events[0]), "Connected live rtmp://box/live");
        assert_eq!(shown(&pair.server_events[1]), format!("Publish live {KEY} a=b&c=d?e"));

        let sent = [
            message(kind::DATA, 1, 0, b"\x02\x00\x0aonMetaData\x05"),
            message(kind::VIDEO, 1, 0x00ff_fffe, &[1; 200_000]),
            message(kind::AUDIO, 1, 0xffff_ffff, &[2; 65_536]),
            message(kind::AUDIO, 1, 5, &[3; 1]),
        ];
        for message in &sent {
            pair.media(4, message, 65_536);
        }
        pair.client.finish();
        pair.run(|| usize::MAX);
        let got: Vec<&ServerEvent> = pair.server_events[2..].iter().collect();
        let [media @ .., ServerEvent::Unpublish] = &got[..] else { panic!("{got:?}") };
        let media: Vec<&Message> = media
            .iter()
            .map(|event| match event {
                ServerEvent::Media(message) => message,
                event => panic!("{event:?}"),
            })
            .collect();
        assert_eq!(media, sent.iter().collect::<Vec<_>>());
    }
}

#[test]
fn refusals_reach_the_client() {
    for refusal in [
        Refusal::BadName,
        Refusal::Denied,
        Refusal::Rejected,
        Refusal::Failed,
        Refusal::InvalidApp,
        Refusal::StreamNotFound,
    ] {
        let mut pair = Pair::new(config(KEY));
        pair.run(|| 100);
        pair.server.refuse(refusal);
        pair.run(|| 100);
        let is_refusal = |event: &ClientEvent| matches!(event, ClientEvent::Refused { stage: Stage::Publish, code, .. } if code == refusal.code());
        // A refusal to play means nothing to a publisher.
        assert_eq!(
            pair.client_events.last().is_some_and(is_refusal),
            refusal != Refusal::StreamNotFound,
            "{refusal:?}"
        );
        assert!(!pair.client_events.iter().any(|event| matches!(event, ClientEvent::PublishStarted { .. })));
    }
}

#[test]
fn the_server_ends_a_stream() {
    let mut pair = Pair::new(config(KEY));
    published(&mut pair, || 1000);
    pair.server.close_publish("Stopped by its owner.");
    pair.run(|| 1000);
    let Some(ClientEvent::Closed { code, description }) = pair.client_events.last() else {
        panic!("{:?}", pair.client_events)
    };
    assert_eq!((code.as_str(), description.as_str()), ("NetStream.Unpublish.Success", "Stopped by its owner."));
    pair.media(4, &message(kind::AUDIO, 1, 0, b"late"), 128);
    assert_eq!(pair.server_events.len(), 2, "nothing is taken after the end");
}

#[test]
fn a_publisher_is_told_nothing_before_it_is_accepted() {
    let mut pair = Pair::new(config(KEY));
    pair.run(|| usize::MAX);
    assert_eq!(pair.client_events.len(), 2);
    pair.server.accept_publish();
    let answer = pair.server.output().to_vec();
    assert!(answer.windows(23).any(|window| window == b"NetStream.Publish.Start"));
}

#[test]
fn nothing_shown_holds_the_key() {
    let mut pair = Pair::new(config(KEY));
    pair.run(|| 1000);
    pair.server.refuse(Refusal::BadName);
    pair.run(|| 1000);
    let all = format!(
        "{:?} {:?} {:?} {:?} {:?}",
        pair.server_events,
        pair.client_events,
        pair.client,
        pair.server,
        config(KEY)
    );
    assert!(!all.contains(KEY), "{all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_pieces_give_the_same(
        steps in prop::collection::vec(1usize..2000, 1..50),
        digest in any::<bool>(),
        name in "[A-Za-z0-9._~-]{16,40}(\\?[a-z&=?/]{0,20})?",
        app in "[a-z]{0,8}(/[a-z]{1,8}){0,2}",
    ) {
        let form = if digest { handshake::Form::Digest(handshake::Scheme::Second) } else { handshake::Form::Simple };
        let mut whole = Pair::new(ClientConfig { handshake: form, ..ClientConfig::new(&*app, "rtmp://box/", &*name) });
        published(&mut whole, || usize::MAX);
        let mut pieces = Pair::new(ClientConfig { handshake: form, ..ClientConfig::new(&*app, "rtmp://box/", &*name) });
        let mut next = steps.iter().cycle();
        pieces.run(|| *next.next().unwrap());
        pieces.server.accept_publish();
        pieces.run(|| *next.next().unwrap());
        pieces.client.finish();
        whole.client.finish();
        pieces.run(|| *next.next().unwrap());
        whole.run(|| usize::MAX);
        let all = |pair: &Pair| {
            (pair.server_events.iter().map(shown).collect::<Vec<_>>(), format!("{:?}", pair.client_events))
        };
        prop_assert_eq!(all(&whole), all(&pieces));
    }
}
