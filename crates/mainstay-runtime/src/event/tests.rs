//! Tests of the sink: order, what is lost, and who delays whom.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::hub::QUEUE;
use super::{Event, EventKind, Events, Reader, Sink};
use crate::clock::Clock;

fn reader(reader: impl FnMut(&Event) + Send + 'static) -> Reader {
    Box::new(reader)
}

/// Sends the number of each event, and of a loss how many events it stands for.
fn numbers() -> (Reader, Receiver<(u64, u64)>) {
    let (sender, numbers) = channel();
    let reader = reader(move |event| {
        let _ = sender.send(seen(event));
    });
    (reader, numbers)
}

fn seen(event: &Event) -> (u64, u64) {
    match event.kind {
        EventKind::Lost { events } => (event.number, events),
        _ => (event.number, 1),
    }
}

fn emit(sink: &Sink, events: u64) {
    for _ in 0..events {
        sink.emit(Clock::Real.now(), EventKind::Booting { provider: "a" });
    }
}

/// Each event once and in order, or accounted for in its place.
fn assert_complete(seen: impl IntoIterator<Item = (u64, u64)>, first: u64, last: u64) {
    let mut next = first;
    for (number, stands_for) in seen {
        assert_eq!(number, next + stands_for - 1, "after {}", next - 1);
        next = number + 1;
    }
    assert_eq!(next - 1, last);
}

fn wait(events: &mut Events) -> Option<Arc<Event>> {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut next = pin!(events.next());
    loop {
        match next.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(event) => return event,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn events_of_many_threads_come_in_one_order_and_once_to_every_reader() {
    let (one, ones) = numbers();
    let (two, twos) = numbers();
    let sink = Sink::threaded(vec![one, two]).unwrap();
    let mut events = sink.subscribe();
    let listener = std::thread::spawn(move || {
        let next = std::iter::from_fn(|| wait(&mut events));
        next.map(|event| seen(&event)).collect::<Vec<_>>()
    });
    let emitters: Vec<_> = (0..4)
        .map(|_| {
            let sink = sink.clone();
            std::thread::spawn(move || emit(&sink, 500))
        })
        .collect();
    for emitter in emitters {
        emitter.join().unwrap();
    }
    sink.finish();
    emit(&sink, 1);
    assert_complete(ones, 1, 2000);
    assert_complete(twos, 1, 2000);
    assert_complete(listener.join().unwrap(), 1, 2000);
    assert_eq!(
        sink.record().last().unwrap().number,
        2001,
        "what came after the end is recorded all the same"
    );
}

/// Fails without the count of what was dropped.
#[test]
fn a_slow_reader_delays_nobody_and_learns_in_its_place_what_it_has_lost() {
    let (release, blocked) = channel::<()>();
    let (slow, slows) = {
        let (mut slow, slows) = numbers();
        let (began, has_begun) = channel();
        let slow = reader(move |event| {
            slow(event);
            let _ = began.send(());
            let _ = blocked.recv();
        });
        (slow, (slows, has_begun))
    };
    let (fast, fasts) = numbers();
    let sink = Sink::threaded(vec![slow, fast]).unwrap();
    emit(&sink, 1);
    slows.1.recv().unwrap();
    let mut read = vec![fasts.recv().unwrap()];
    for _ in 0..10 {
        emit(&sink, 500);
        read.extend(fasts.iter().take(500));
    }
    assert_complete(read, 1, 5001);
    sink.finish();
    drop(release);
    let slows: Vec<_> = slows.0.iter().collect();
    assert_eq!(
        slows[1],
        (5001 - QUEUE as u64, 5000 - QUEUE as u64),
        "the oldest are lost, and it is told so"
    );
    assert_complete(slows, 1, 5001);
}

#[test]
fn a_subscriber_that_is_too_slow_learns_in_its_place_what_it_has_lost() {
    for sink in [Sink::threaded(Vec::new()).unwrap(), Sink::direct(Vec::new())] {
        emit(&sink, 10);
        let mut events = sink.subscribe();
        assert!(events.try_next().is_none(), "it sees what comes after it");
        emit(&sink, 3000);
        sink.finish();
        let first = events.try_next().unwrap();
        assert!(matches!(first.kind, EventKind::Lost { events: 1976 }), "{first:?}");
        let rest = std::iter::from_fn(|| wait(&mut events)).map(|event| seen(&event));
        assert_complete(std::iter::once(seen(&first)).chain(rest), 11, 3010);
        assert!(events.try_next().is_none());
        assert!(wait(&mut sink.subscribe()).is_none(), "after the end there is nothing, and that at once");
    }
}

struct Dropped(Sender<()>);
impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
        panic!("a reader's destructor");
    }
}

#[test]
fn a_reader_that_panics_is_gone_and_the_others_go_on() {
    for threaded in [true, false] {
        let (dropped, is_dropped) = channel();
        let dropped = Dropped(dropped);
        let bad = reader(move |_| {
            let _ = &dropped;
            panic!("a reader");
        });
        let (good, numbers) = numbers();
        let readers = vec![bad, good];
        let sink = if threaded { Sink::threaded(readers).unwrap() } else { Sink::direct(readers) };
        emit(&sink, 1);
        is_dropped.recv().unwrap();
        emit(&sink, 9);
        sink.finish();
        assert_complete(numbers, 1, 10);
    }
}

#[test]
fn readers_end_with_the_lifecycle_and_not_with_the_last_handle() {
    for threaded in [true, false] {
        let (reader, numbers) = numbers();
        let readers = vec![reader];
        let sink = if threaded { Sink::threaded(readers).unwrap() } else { Sink::direct(readers) };
        emit(&sink, 3);
        sink.finish();
        assert_complete(numbers, 1, 3);
        drop(sink);
    }
}

#[test]
fn a_subscriber_that_is_dropped_half_way_leaves_nothing_behind() {
    let sink = Sink::threaded(Vec::new()).unwrap();
    let (mut one, mut two) = (sink.subscribe(), sink.subscribe());
    emit(&sink, 2);
    assert_eq!(wait(&mut one).unwrap().number, 1);
    let weak = Arc::downgrade(&wait(&mut one).unwrap());
    drop(one);
    assert_eq!((wait(&mut two).unwrap().number, wait(&mut two).unwrap().number), (1, 2));
    drop(two);
    emit(&sink, 1);
    // The log may have an interest of its own in them, with a subscriber of another test.
    sink.flush(Duration::from_secs(60));
    assert!(weak.upgrade().is_none(), "and the last subscriber takes the queue with him");
}

struct Bad;
impl Wake for Bad {
    fn wake(self: Arc<Self>) {
        panic!("a waker");
    }
}

/// A waker is user code. With tokio's own waiting it would panic where the event is sent, and the others would not be
/// woken.
#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    for sink in [Sink::threaded(Vec::new()).unwrap(), Sink::direct(Vec::new())] {
        let (mut bad, mut good) = (sink.subscribe(), sink.subscribe());
        let waker = Waker::from(Arc::new(Bad));
        let waits = std::thread::spawn(move || (wait(&mut good).unwrap().number, wait(&mut good).is_none()));
        {
            let mut next = pin!(bad.next());
            assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        emit(&sink, 1);
        sink.finish();
        assert_eq!(waits.join().unwrap(), (1, true));
        assert_eq!(bad.try_next().unwrap().number, 1, "its future was dropped, and nothing is lost");
    }
}

struct Blocks(Mutex<Receiver<()>>, Sender<()>);
impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        let _ = self.1.send(());
        let _ = self.0.lock().unwrap().recv();
    }
}

/// Hangs when subscribers are woken in the task that emits.
#[test]
fn a_waker_that_blocks_holds_neither_who_emits_nor_the_readers() {
    let (reader, numbers) = numbers();
    let sink = Sink::threaded(vec![reader]).unwrap();
    let (release, blocked) = channel();
    let (woken, is_woken) = channel();
    let waker = Waker::from(Arc::new(Blocks(Mutex::new(blocked), woken)));
    let mut events = sink.subscribe();
    {
        let mut next = pin!(events.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    emit(&sink, 1);
    is_woken.recv().unwrap();
    emit(&sink, 99);
    assert_complete(numbers.iter().take(100).collect::<Vec<_>>(), 1, 100);
    sink.flush(Duration::from_secs(60));
    sink.finish();
    let left = std::iter::from_fn(|| events.try_next());
    assert_complete(left.map(|event| seen(&event)), 1, 100);
    drop(release);
}

#[test]
fn a_flush_waits_for_what_was_emitted_before_it_and_no_longer_than_it_may() {
    let read = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&read);
    let sink = Sink::threaded(vec![reader(move |_| {
        counts.fetch_add(1, Ordering::Relaxed);
    })])
    .unwrap();
    for round in 1..=100 {
        emit(&sink, 7);
        sink.flush(Duration::from_secs(60));
        assert_eq!(read.load(Ordering::Relaxed), 7 * round);
    }
    let (release, blocked) = channel::<()>();
    let sink = Sink::threaded(vec![reader(move |_| {
        let _ = blocked.recv();
    })])
    .unwrap();
    emit(&sink, 1);
    sink.flush(Duration::from_millis(1));
    drop(release);
}

/// It is what is looked at when the log was at `info`, and nobody read the events.
#[test]
fn the_flight_recorder_has_the_details_that_nobody_reads() {
    for sink in [Sink::threaded(Vec::new()).unwrap(), Sink::direct(Vec::new())] {
        emit(&sink, 300);
        let numbers: Vec<u64> = sink.record().iter().map(|event| event.number).collect();
        assert_eq!(numbers, (45..=300).collect::<Vec<_>>());
    }
}
