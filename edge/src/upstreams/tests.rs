//! Pools, with the time as an argument or paused, and checks of real sockets.

use std::time::Duration;

use hyper::StatusCode;
use hyper::http::uri::Authority;
use proptest::prelude::*;
use tokio::time::advance;

use super::pool::{Attempt, Nobody, Pool};
use super::pools::Pools;
use super::tried::Tried;
use crate::settings::reading;

const DEMO: Authority = Authority::from_static("demo:1");

/// The pool `a` of servers with these weights, after another one.
fn pools(servers: &[(u16, u32)], more: &str, before: Option<&Pools>) -> Pools {
    let servers: Vec<String> =
        servers.iter().map(|(port, weight)| format!("'a:{port} weight {weight}'")).collect();
    let text = format!("upstreams:\n  a:\n    servers: [{}]\n{more}", servers.join(", "));
    Pools::of(&reading(&text), &DEMO, before)
}

fn ports(pool: &Pool, many: usize) -> Vec<u16> {
    (0..many).map(|_| pool.pick(Tried::NONE).unwrap().authority().port_u16().unwrap()).collect()
}

fn fail(pool: &Pool, port: u16, times: u32) {
    for _ in 0..times {
        while pool.pick(Tried::NONE).unwrap().authority().port_u16() != Some(port) {}
        let mut tried = Tried::NONE;
        loop {
            let picked = pool.pick(tried).unwrap();
            if picked.authority().port_u16() == Some(port) {
                picked.report(Attempt::Unreached);
                break;
            }
            tried = picked.and(tried);
        }
    }
}

fn check(pool: &Pool, port: u16, found: Result<(), &str>) {
    let member = pool.members.iter().find(|member| member.server.authority.port_u16() == Some(port)).unwrap();
    for _ in 0..3 {
        member.server.checked(found.map_err(str::to_owned), &pool.check);
    }
}

#[test]
fn who_is_down_has_no_turn_and_the_others_keep_their_weights() {
    let pools = pools(&[(1, 2), (2, 1), (3, 1)], "", None);
    let pool = pools.get("a").unwrap();
    assert_eq!(ports(pool, 4), [1, 2, 3, 1]);
    check(pool, 3, Err("refused"));
    assert_eq!(ports(pool, 6), [1, 2, 1, 1, 2, 1]);
    check(pool, 3, Ok(()));
    assert_eq!(ports(pool, 4), [1, 2, 3, 1]);
}

#[test]
fn a_pool_that_is_down_says_why_each_of_its_servers_is() {
    let pools = pools(&[(1, 1), (2, 1)], "", None);
    let pool = pools.get("a").unwrap();
    check(pool, 1, Err("answers 503 Service Unavailable"));
    assert_eq!(pools.why_down(), None);
    check(pool, 2, Err("no answer in 1s"));
    let why = "the pool 'a' is down: a:1 answers 503 Service Unavailable; a:2 no answer in 1s".to_owned();
    assert_eq!(pool.pick(Tried::NONE).unwrap_err(), Nobody::Down(why.clone()));
    assert_eq!(pools.why_down(), Some(why));
}

#[test]
fn a_request_asks_each_server_once_and_then_nobody() {
    let pools = pools(&[(1, 5), (2, 1), (3, 1)], "", None);
    let pool = pools.get("a").unwrap();
    for _ in 0..20 {
        let (mut tried, mut asked) = (Tried::NONE, Vec::new());
        while let Ok(picked) = pool.pick(tried) {
            asked.push(picked.authority().port_u16().unwrap());
            tried = picked.and(tried);
        }
        assert_eq!(pool.pick(tried).unwrap_err(), Nobody::Tried);
        asked.sort_unstable();
        assert_eq!(asked, [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_fails_five_times_in_a_row_is_left_out_for_a_time_that_grows() {
    let pools = pools(&[(1, 1), (2, 1)], "", None);
    let pool = pools.get("a").unwrap();
    fail(pool, 1, 4);
    // A good answer between begins the row anew; what another one fails at is its own.
    while pool.pick(Tried::NONE).unwrap().authority().port_u16() != Some(2) {}
    pool.pick(Tried::NONE).unwrap().report(Attempt::Answered(StatusCode::NOT_FOUND));
    fail(pool, 1, 4);
    assert!(ports(pool, 4).contains(&1));
    fail(pool, 1, 1);
    for time in [30, 60] {
        assert_eq!(ports(pool, 10), [2; 10]);
        advance(Duration::from_millis(time * 1_000 - 1)).await;
        assert_eq!(ports(pool, 10), [2; 10]);
        advance(Duration::from_millis(1)).await;
        assert!(ports(pool, 2).contains(&1), "after {time} s");
        fail(pool, 1, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_the_gateway_kind_are_failures_and_others_are_none() {
    for (status, fails) in [(500, false), (404, false), (502, true), (503, true), (504, true)] {
        let pools = pools(&[(1, 1), (2, 1)], "", None);
        let pool = pools.get("a").unwrap();
        for _ in 0..20 {
            let picked = pool.pick(Tried::NONE).unwrap();
            if picked.authority().port_u16() == Some(1) {
                picked.report(Attempt::Answered(StatusCode::from_u16(status).unwrap()));
            }
        }
        assert_eq!(ports(pool, 4) == [2; 4], fails, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_only_server_and_the_last_one_are_not_left_out() {
    let alone = pools(&[(1, 1)], "    eject: {share: 100}\n", None);
    let pool = alone.get("a").unwrap();
    fail(pool, 1, 50);
    assert_eq!(ports(pool, 2), [1, 1]);
    assert!(!pool.said(tokio::time::Instant::now()).contains("left out"));
    let two = pools(&[(1, 1), (2, 1)], "    eject: {share: 100}\n", None);
    let pool = two.get("a").unwrap();
    fail(pool, 1, 5);
    fail(pool, 2, 50);
    assert_eq!(ports(pool, 4), [2; 4]);
    // The one that is not left out goes down: then it is better to ask the other one than nobody.
    check(pool, 2, Err("refused"));
    assert_eq!(ports(pool, 4), [1; 4]);
}

#[tokio::test(start_paused = true)]
async fn ejection_can_be_switched_off() {
    let pools = pools(&[(1, 1), (2, 1)], "    eject: {failures: off}\n", None);
    let pool = pools.get("a").unwrap();
    fail(pool, 1, 50);
    assert!(ports(pool, 2).contains(&1));
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_is_known_of_a_server_that_stays() {
    let before = pools(&[(1, 1), (2, 1), (3, 1)], "    eject: {share: 50}\n", None);
    let pool = before.get("a").unwrap();
    check(pool, 1, Err("refused"));
    fail(pool, 2, 5);
    let after = pools(&[(4, 1), (3, 2), (2, 1), (1, 7)], "", Some(&before));
    let next = after.get("a").unwrap();
    assert_eq!(ports(next, 3), [3, 4, 3]);
    advance(Duration::from_secs(30)).await;
    check(next, 1, Ok(()));
    let mut seen = ports(next, 11);
    seen.sort_unstable();
    assert_eq!(seen, [1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 4]);
    // Of one that was away for a reload nothing is known.
    let gone = pools(&[(2, 1)], "", Some(&after));
    check(next, 1, Err("refused"));
    let again = pools(&[(1, 1)], "", Some(&gone));
    assert_eq!(ports(again.get("a").unwrap(), 1), [1]);
}

#[test]
fn what_is_not_checked_is_up() {
    let pools = pools(&[(1, 1)], "    check: {interval: off}\n", None);
    let pool = pools.get("a").unwrap();
    check(pool, 1, Err("refused"));
    assert_eq!(ports(pool, 1), [1]);
    assert!(pools.checked().is_empty());
    let checked: Vec<String> = super::tests::pools(&[(1, 1), (2, 1)], "", Some(&pools))
        .checked()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    // The pool that is given has only the server inside edge.
    assert_eq!(checked, ["a/a:1", "a/a:2"]);
}

#[derive(Clone, Debug)]
enum Step {
    Pick,
    Fail(usize),
    Well(usize),
    Down(usize),
    Up(usize),
    Later(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Pick),
        4 => (0_usize..8).prop_map(Step::Fail),
        1 => (0_usize..8).prop_map(Step::Well),
        2 => (0_usize..8).prop_map(Step::Down),
        2 => (0_usize..8).prop_map(Step::Up),
        1 => (1_u64..200).prop_map(Step::Later),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever happens to the servers: who is down is never picked; who is left out is not as long as another one is up;
    /// no more are left out than may be; and all down is an answer with a reason for each.
    #[test]
    fn a_pick_is_one_that_may_be(
        weights in prop::collection::vec(1_u32..5, 1..8),
        share in 0_u32..=100,
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let servers: Vec<(u16, u32)> = (1..).zip(weights.iter().copied()).collect();
            let more = format!("    eject: {{share: {share}, failures: 2}}\n    check: {{fall: 1, rise: 1}}\n");
            let pools = pools(&servers, &more, None);
            let pool = pools.get("a").unwrap();
            let many = servers.len();
            let most = (many * share as usize / 100).max(1).min(many - 1);
            for step in steps {
                let now = tokio::time::Instant::now();
                match step {
                    Step::Pick => {}
                    Step::Fail(index) => pool.failed(u8::try_from(index % many).unwrap()),
                    Step::Well(index) => pool.members[index % many].server.did_well(),
                    Step::Down(index) => {
                        pool.members[index % many].server.checked(Err("bad".to_owned()), &pool.check);
                    }
                    Step::Up(index) => {
                        pool.members[index % many].server.checked(Ok(()), &pool.check);
                    }
                    Step::Later(seconds) => advance(Duration::from_secs(seconds)).await,
                }
                let now = now.max(tokio::time::Instant::now());
                let out = pool.members.iter().filter(|member| member.server.is_out(|| now)).count();
                prop_assert!(out <= most, "{} of {} are left out", out, many);
                let up = pool.members.iter().filter(|member| member.server.is_up());
                let fit = up.clone().any(|member| !member.server.is_out(|| now));
                match pool.pick(Tried::NONE) {
                    Ok(picked) => {
                        let server = pool.members.iter().find(|one| one.server.authority == *picked.authority());
                        let server = &server.unwrap().server;
                        prop_assert!(server.is_up());
                        prop_assert!(!fit || !server.is_out(|| now));
                    }
                    Err(Nobody::Down(why)) => {
                        prop_assert_eq!(up.count(), 0);
                        prop_assert_eq!(why.matches(" bad").count(), many, "{}", why);
                    }
                    Err(Nobody::Tried) => prop_assert!(false, "nothing was tried"),
                }
            }
            Ok(())
        })?;
    }

    /// From as many threads as there are, each turn is taken once: over whole cycles everybody has exactly their own.
    #[test]
    fn turns_that_are_taken_at_once_are_taken_once(weights in prop::collection::vec(1_u32..6, 1..5)) {
        let servers: Vec<(u16, u32)> = (1..).zip(weights.iter().copied()).collect();
        let pools = pools(&servers, "", None);
        let pool = pools.get("a").unwrap();
        let all = weights.iter().sum::<u32>() as usize;
        let mut seen: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| ports(pool, 5 * all))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        seen.sort_unstable();
        for (port, weight) in servers {
            let many = seen.iter().filter(|one| **one == port).count();
            prop_assert_eq!(many, 4 * 5 * weight as usize);
        }
    }
}

#[test]
fn the_built_in_text_has_the_built_in_server() {
    let pools = Pools::of(&reading(""), &DEMO, None);
    assert_eq!(pools.get("demo").unwrap().pick(Tried::NONE).unwrap().authority(), "demo:1");
}
