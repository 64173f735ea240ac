//! Readers and writers at once: nobody waits, and nobody misses what was there.

use std::sync::{
    Arc, Barrier,
    atomic::{AtomicBool, Ordering},
};

use mainstay_registry::Registry;

struct Typed<const N: usize>(usize);

macro_rules! insert_all {
    ($registry:expr; $($n:literal)*) => { $($registry.insert_value(Arc::new(Typed::<$n>($n)));)* };
}

macro_rules! check_prefix {
    ($registry:expr, $holes:ident; $($n:literal)*) => {{
        // Newest first: when a later one is there, every earlier one must be found after it.
        let mut later = false;
        for found in [$($registry.get::<Typed<$n>>().map(|it| it.0 == $n)),*] {
            match found {
                Some(right) => { assert!(right); later = true; }
                None if later => $holes += 1,
                None => {}
            }
        }
    }};
}

#[test]
fn what_was_there_before_is_never_missed_while_tables_grow() {
    for _ in 0..20 {
        let registry = Arc::new(Registry::<()>::new());
        let (start, done) = (Arc::new(Barrier::new(3)), Arc::new(AtomicBool::new(false)));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (registry, start, done) = (Arc::clone(&registry), Arc::clone(&start), Arc::clone(&done));
                std::thread::spawn(move || {
                    start.wait();
                    let mut holes = 0;
                    loop {
                        let last = done.load(Ordering::Acquire);
                        check_prefix!(registry, holes; 79 78 77 76 75 74 73 72 71 70 69 68 67 66 65 64 63 62 61 60
                            59 58 57 56 55 54 53 52 51 50 49 48 47 46 45 44 43 42 41 40 39 38 37 36 35 34 33 32 31 30
                            29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0);
                        if last {
                            return holes;
                        }
                    }
                })
            })
            .collect();
        start.wait();
        insert_all!(registry; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
            30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
            60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
        done.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 0, "holes seen");
        }
    }
}

#[test]
fn of_many_threads_that_insert_one_type_one_wins_and_all_agree() {
    for _ in 0..50 {
        let registry = Arc::new(Registry::<()>::new());
        let start = Arc::new(Barrier::new(4));
        let writers: Vec<_> = (0..4)
            .map(|number| {
                let (registry, start) = (Arc::clone(&registry), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    let won = registry.try_insert_value(Arc::new(Typed::<0>(number))).is_ok();
                    (won, registry.get::<Typed<0>>().unwrap().0)
                })
            })
            .collect();
        let results: Vec<_> = writers.into_iter().map(|it| it.join().unwrap()).collect();
        assert_eq!(results.iter().filter(|(won, _)| *won).count(), 1);
        assert!(results.iter().all(|(_, seen)| *seen == results[0].1), "{results:?}");
    }
}
