//! Users, sign-ins and tokens: who is somebody, for how long, and what ends it.

mod common;

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use brookbox_store::{Claim, Error, MOST_SIGN_INS, MOST_TOKENS, MOST_USERS, Role, SignIn, Store, Time};
use brookbox_vault::{PasswordHash, TokenHash};
use common::{DAY, HASH, sign_in, store, token, user};

const MINUTE: Duration = Duration::from_secs(60);

fn other_hash() -> PasswordHash {
    PasswordHash::parse(&HASH.replace("c29tZXNhbHQ", "b3RoZXJzYWx0")).expect("a PHC string")
}

#[test]
fn of_fifty_who_claim_at_once_one_gets_the_box() {
    let (dir, first) = store();
    let now = Time::now();
    // Five handles on the same data, as five processes would have them.
    let handles: Vec<_> =
        std::iter::once(first.clone()).chain((1..5).map(|_| Store::open(dir.path()).unwrap())).collect();
    let (barrier, won, lost) = (Barrier::new(50), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..50 {
            let (store, barrier, won, lost) = (&handles[number % 5], &barrier, &won, &lost);
            scope.spawn(move || {
                let owner = user(&format!("racer-{number}"), Role::Viewer);
                let sign_in = Some(SignIn { user_id: "set by the claim".into(), ..sign_in(&owner, now) });
                let settings = vec![("boxName".into(), format!("box-{number}").into())];
                barrier.wait();
                match store.claim(&Claim { owner, sign_in, settings }) {
                    Ok(()) => won.store(number, Ordering::SeqCst),
                    Err(Error::AlreadyClaimed) => drop(lost.fetch_add(1, Ordering::SeqCst)),
                    Err(other) => panic!("{other}"),
                }
            });
        }
    });
    assert_eq!(lost.into_inner(), 49);
    let won = won.into_inner();
    let [owner] = <[_; 1]>::try_from(first.users().unwrap()).unwrap();
    assert_eq!((owner.username.as_str(), owner.role), (format!("racer-{won}").as_str(), Role::Owner));
    assert_eq!(first.sign_ins(&owner.id, now).unwrap().len(), 1, "nothing of the others stays");
    assert_eq!(first.setting::<String>("boxName").unwrap(), Some(format!("box-{won}")));
    assert!(first.claimed().unwrap());
}

#[test]
fn a_second_claim_changes_nothing() {
    let (_dir, store) = store();
    let owner = user("mara", Role::Owner);
    store.claim(&Claim { owner, sign_in: None, settings: vec![] }).unwrap();
    let eve = user("eve", Role::Owner);
    let settings = vec![("boxName".into(), "stolen".into())];
    let second = Claim { sign_in: Some(sign_in(&eve, Time::now())), owner: eve, settings };
    assert!(matches!(store.claim(&second), Err(Error::AlreadyClaimed)));
    assert_eq!(store.setting::<String>("boxName").unwrap(), None);
    assert!(store.user_by_name("eve").unwrap().is_none());
    assert!(store.sign_ins(&second.owner.id, Time::now()).unwrap().is_empty());
}

#[test]
fn names_are_unique_whatever_their_case() {
    let (_dir, store) = store();
    let mara = user("Mara Öl", Role::Owner);
    store.add_user(&mara).unwrap();
    let taken = |result| matches!(result, Err(Error::Conflict { field: "username", .. }));
    assert!(taken(store.add_user(&user("mara öl", Role::Viewer))));
    store.add_user(&user("jo", Role::Viewer)).unwrap();
    let jo = store.user_by_name("JO").unwrap().unwrap();
    assert!(taken(
        store
            .update_user::<Error>(&jo.id, |it| {
                it.username = "MARA ÖL".into();
                Ok(())
            })
            .map(drop)
    ));
    store
        .update_user::<Error>(&mara.id, |it| {
            it.username = "mara öl".into();
            Ok(())
        })
        .unwrap();
    assert_eq!(store.user_by_name("MARA ÖL").unwrap().unwrap().username, "mara öl");
    assert!(matches!(store.add_user(&mara), Err(Error::Conflict { field: "id", .. })));
    assert!(matches!(store.user("nobody"), Err(Error::NotFound("user"))));
}

#[test]
fn the_last_owner_stays() {
    let (_dir, store) = store();
    let (mara, jo) = (user("mara", Role::Owner), user("jo", Role::Operator));
    store.add_user(&mara).unwrap();
    store.add_user(&jo).unwrap();
    let demote = |id: &str| {
        store.update_user::<Error>(id, |it| {
            it.role = Role::Viewer;
            Ok(())
        })
    };
    assert!(matches!(demote(&mara.id), Err(Error::LastOwner)));
    assert!(matches!(store.delete_user(&mara.id), Err(Error::LastOwner)));
    store
        .update_user::<Error>(&jo.id, |it| {
            it.role = Role::Owner;
            Ok(())
        })
        .unwrap();
    demote(&mara.id).unwrap();
    store.delete_user(&mara.id).unwrap();
    assert!(matches!(store.delete_user(&jo.id), Err(Error::LastOwner)));
    assert!(matches!(store.delete_user(&mara.id), Err(Error::NotFound("user"))));
}

#[test]
fn a_sign_in_ends_after_30_days_unused_and_90_in_any_case() {
    let (_dir, store) = store();
    let mara = user("mara", Role::Owner);
    store.add_user(&mara).unwrap();
    let start = Time::now();
    let made = sign_in(&mara, start);
    store.add_sign_in(&made).unwrap();
    let find = |now| store.sign_in(&made.id_hash, now).unwrap();
    let almost = |duration: Duration| duration - Duration::from_millis(1);

    let (found, owner) = find(start.after(almost(30 * DAY))).unwrap();
    assert_eq!((owner.id.as_str(), owner.last_seen), (mara.id.as_str(), Some(start.after(almost(30 * DAY)))));
    assert_eq!((found.created_at, found.password_entered_at), (start, start));
    assert_eq!(found.last_used, start.after(almost(30 * DAY)));
    assert!(find(start.after(almost(60 * DAY)).before(MINUTE)).is_some(), "used meanwhile");
    assert!(find(start.after(almost(90 * DAY)).before(2 * MINUTE)).is_some());
    assert!(find(start.after(90 * DAY)).is_none(), "90 days, although used a minute ago");

    let unused = sign_in(&mara, start);
    store.add_sign_in(&unused).unwrap();
    assert!(store.sign_in(&unused.id_hash, start.after(30 * DAY)).unwrap().is_none());
    assert!(store.sign_in(&TokenHash::of(&"unknown".into()), start).unwrap().is_none());
    assert_eq!(store.sign_ins(&mara.id, start.after(60 * DAY)).unwrap().len(), 1);
    assert_eq!(store.prune(start.after(60 * DAY)).unwrap(), 1);
    assert_eq!(store.prune(start.after(90 * DAY)).unwrap(), 1);
    assert_eq!(store.prune(start.after(90 * DAY)).unwrap(), 0);
}

#[test]
fn a_clock_that_was_ahead_makes_no_sign_in_that_never_ends() {
    let (_dir, store) = store();
    let mara = user("mara", Role::Owner);
    store.add_user(&mara).unwrap();
    let now = Time::now();
    let (ahead, a_little) = (sign_in(&mara, now.after(2 * DAY)), sign_in(&mara, now.after(DAY / 2)));
    store.add_sign_in(&ahead).unwrap();
    store.add_sign_in(&a_little).unwrap();
    assert!(store.sign_in(&ahead.id_hash, now).unwrap().is_none());
    assert!(store.sign_in(&a_little.id_hash, now).unwrap().is_some());
    assert_eq!(store.prune(now).unwrap(), 1);
}

#[test]
fn a_use_is_written_down_once_a_minute() {
    let (_dir, store) = store();
    let mara = user("mara", Role::Owner);
    store.add_user(&mara).unwrap();
    let start = Time::now();
    let (made, script) = (sign_in(&mara, start), token(&mara, start));
    store.add_sign_in(&made).unwrap();
    store.add_token(&script).unwrap();
    let uses = |now| {
        let (sign_in, _) = store.sign_in(&made.id_hash, now).unwrap().unwrap();
        let (token, _) = store.token(&script.hash, now).unwrap().unwrap();
        (sign_in.last_used, token.last_used.unwrap())
    };
    assert_eq!(uses(start), (start, start));
    assert_eq!(uses(start.after(MINUTE - Duration::from_millis(1))), (start, start));
    let later = start.after(MINUTE);
    assert_eq!(uses(later), (later, later));
    let set_back = start.before(DAY / 2);
    assert_eq!(uses(set_back), (set_back, set_back), "also when the clock was set back");
}

#[test]
fn a_new_password_ends_all_other_sign_ins_of_theirs() {
    let (_dir, store) = store();
    let (mara, jo) = (user("mara", Role::Owner), user("jo", Role::Viewer));
    store.add_user(&mara).unwrap();
    store.add_user(&jo).unwrap();
    let start = Time::now();
    let (here, there, jos) = (sign_in(&mara, start), sign_in(&mara, start), sign_in(&jo, start));
    for made in [&here, &there, &jos] {
        store.add_sign_in(made).unwrap();
    }
    let script = token(&mara, start);
    store.add_token(&script).unwrap();
    let later = start.after(MINUTE / 2);
    let alive = |made: &SignIn| store.sign_in(&made.id_hash, later).unwrap().is_some();

    store.change_password(&mara.id, &other_hash(), Some(&here.id_hash), later).unwrap();
    assert!(alive(&here) && !alive(&there) && alive(&jos));
    assert_eq!(store.user(&mara.id).unwrap().password_hash.as_str(), other_hash().as_str());
    assert_eq!(store.sign_in(&here.id_hash, later).unwrap().unwrap().0.password_entered_at, later);

    store
        .update_user::<Error>(&jo.id, |it| {
            it.role = Role::Operator;
            Ok(())
        })
        .unwrap();
    assert!(!alive(&jos), "a new role ends them too");
    assert!(alive(&here));
    store
        .update_user::<Error>(&mara.id, |it| {
            it.username = "maria".into();
            Ok(())
        })
        .unwrap();
    assert!(alive(&here), "a new name does not");
    assert!(store.token(&script.hash, later).unwrap().is_some());

    store.reset_password(&mara.id, &PasswordHash::parse(HASH).unwrap()).unwrap();
    assert!(!alive(&here) && store.tokens().unwrap().is_empty(), "a reset ends everything");
    assert!(matches!(store.reset_password("nobody", &other_hash()), Err(Error::NotFound("user"))));
    assert!(matches!(store.change_password("nobody", &other_hash(), None, later), Err(Error::NotFound("user"))));
}

#[test]
fn sign_ins_are_listed_ended_and_few() {
    let (_dir, store) = store();
    let (mara, jo) = (user("mara", Role::Owner), user("jo", Role::Viewer));
    store.add_user(&mara).unwrap();
    store.add_user(&jo).unwrap();
    let start = Time::now();
    let first = sign_in(&mara, start);
    store.add_sign_in(&first).unwrap();
    for second in 1..=u64::from(MOST_SIGN_INS) {
        store.add_sign_in(&sign_in(&mara, start.after(Duration::from_secs(second)))).unwrap();
    }
    let later = start.after(Duration::from_secs(100));
    let listed = store.sign_ins(&mara.id, later).unwrap();
    assert_eq!(listed.len(), MOST_SIGN_INS as usize);
    assert!(listed.iter().all(|listed| listed.id != first.id), "the one not used for longest went");
    assert!(listed.windows(2).all(|pair| pair[0].last_used >= pair[1].last_used));

    let one = &listed[0];
    assert!(matches!(store.delete_sign_in(&jo.id, &one.id), Err(Error::NotFound("sign-in"))), "not hers");
    store.delete_sign_in(&mara.id, &one.id).unwrap();
    assert!(store.sign_in(&one.id_hash, later).unwrap().is_none());
    let two = &listed[1];
    store.password_entered(&two.id_hash, later).unwrap();
    assert_eq!(store.sign_in(&two.id_hash, later).unwrap().unwrap().0.password_entered_at, later);
    store.sign_out(&two.id_hash).unwrap();
    store.sign_out(&two.id_hash).unwrap();
    assert!(matches!(store.password_entered(&two.id_hash, later), Err(Error::NotFound("sign-in"))));
    let nobodys = SignIn { user_id: "nobody".into(), ..sign_in(&jo, start) };
    assert!(matches!(store.add_sign_in(&nobodys), Err(Error::NotFound("user"))));
}

#[test]
fn a_token_expires_and_ends_with_its_maker() {
    let (_dir, store) = store();
    let (mara, jo) = (user("mara", Role::Owner), user("jo", Role::Operator));
    store.add_user(&mara).unwrap();
    store.add_user(&jo).unwrap();
    let start = Time::now();
    let (hers, his) = (token(&mara, start), token(&jo, start));
    store.add_token(&hers).unwrap();
    store.add_token(&his).unwrap();
    assert!(matches!(store.add_token(&hers), Err(Error::Conflict { field: "id", .. })));

    let (found, maker) = store.token(&hers.hash, start.after(90 * DAY).before(MINUTE)).unwrap().unwrap();
    assert_eq!((found.scopes, maker.role), (hers.scopes.clone(), Role::Owner));
    assert!(store.token(&hers.hash, start.after(90 * DAY)).unwrap().is_none());
    assert!(store.token(&TokenHash::of(&"bbx_unknown".into()), start).unwrap().is_none());
    assert_eq!(store.tokens().unwrap().len(), 2, "expired ones are listed for a month");

    store.delete_user(&jo.id).unwrap();
    assert!(store.token(&his.hash, start).unwrap().is_none());
    store.delete_token(&hers.id).unwrap();
    assert!(store.token(&hers.hash, start).unwrap().is_none());
    assert!(matches!(store.delete_token(&hers.id), Err(Error::NotFound("token"))));
    store.add_token(&hers).unwrap();
    assert_eq!(store.prune(start.after(119 * DAY)).unwrap(), 0);
    assert_eq!(store.prune(start.after(120 * DAY)).unwrap(), 1);
}

#[test]
fn there_is_an_end_to_how_many() {
    let (_dir, store) = store();
    let mara = user("mara", Role::Owner);
    store.add_user(&mara).unwrap();
    for number in 1..MOST_USERS {
        store.add_user(&user(&format!("user-{number}"), Role::Viewer)).unwrap();
    }
    assert!(matches!(store.add_user(&user("more", Role::Viewer)), Err(Error::Limit { what: "users", .. })));
    for _ in 0..MOST_TOKENS {
        store.add_token(&token(&mara, Time::now())).unwrap();
    }
    assert!(matches!(store.add_token(&token(&mara, Time::now())), Err(Error::Limit { what: "tokens", .. })));
}

#[test]
fn watch_links_go_with_their_maker() {
    let (_dir, store) = store();
    let now = Time::now();
    for name in ["mara", "jo", "ann"] {
        store.add_user(&user(name, Role::Owner)).unwrap();
        let link = brookbox_store::WatchLink {
            hash: TokenHash::of(&name.into()),
            id: format!("of-{name}"),
            name: "Family".into(),
            input: "main".into(),
            viewers: 5,
            made_by: name.into(),
            created_at: now,
            expires_at: now.after(Duration::from_secs(3600)),
        };
        store.add_watch_link(&link).unwrap();
    }
    let links = || store.watch_links(now).unwrap().into_iter().map(|link| link.made_by).collect::<Vec<_>>();
    let id = |name: &str| store.user_by_name(name).unwrap().unwrap().id;
    let change = |name: &str, change: &dyn Fn(&mut brookbox_store::User)| {
        store.update_user(&id(name), |user| {
            change(user);
            Ok::<_, Error>(())
        })
    };
    change("jo", &|user| (user.username, user.role) = ("joan".into(), Role::Operator)).unwrap();
    assert_eq!(links(), ["mara", "joan", "ann"], "they are still hers");
    change("joan", &|user| user.role = Role::Viewer).unwrap();
    assert_eq!(links(), ["mara", "ann"]);
    store.delete_user(&id("ann")).unwrap();
    assert_eq!(links(), ["mara"]);
}

#[test]
fn a_use_that_cannot_be_written_down_is_not_tried_each_time() {
    let (dir, store) = store();
    let mara = user("mara", Role::Owner);
    store.add_user(&mara).unwrap();
    let now = Time::now();
    let used_one = sign_in(&mara, now);
    store.add_sign_in(&used_one).unwrap();
    let used = |at| store.sign_in(&used_one.id_hash, at).unwrap().unwrap().0.last_used;
    let db = rusqlite::Connection::open(dir.path().join("brookbox.db")).unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON sign_ins BEGIN SELECT RAISE(FAIL, 'no room'); END";
    db.execute_batch(full).unwrap();
    let later = now.after(Duration::from_secs(120));
    assert_eq!(used(later), now, "nobody is signed out by it");
    db.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!(used(later.after(Duration::from_secs(1))), now, "it is remembered that it failed");
}
