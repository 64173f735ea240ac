//! A hook that no worker polls is run on a thread of its own, with its own small runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cell::{Cell, Isolated};

/// So many rescue threads may live at once in a process; further hooks wait for the next look.
const MOST: usize = 64;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Takes the work out of its task and runs it. False: somebody has begun with it, or no thread could be had.
pub(crate) fn rescue(cell: &Arc<Cell>) -> bool {
    rescue_and(cell, || {})
}

/// The same. `began` is called on that thread before the first poll: what it says comes before the hook's end.
pub(super) fn rescue_and(cell: &Arc<Cell>, began: impl FnOnce() + Send + 'static) -> bool {
    if ALIVE.fetch_add(1, Ordering::Relaxed) >= MOST {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
        return false;
    }
    let Some(work) = cell.take() else {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
        return false;
    };
    // The work is handed over through the cell: when the thread cannot be started, it is still there.
    cell.put_back(work);
    let rescued = Arc::clone(cell);
    let thread = std::thread::Builder::new().name("mainstay-rescue".to_owned()).spawn(move || {
        let alive = Alive;
        let Some(work) = rescued.take() else { return };
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => {
                began();
                runtime.block_on(Isolated::with(&rescued, work));
                // What the hook has left on it is not waited for.
                runtime.shutdown_background();
            }
            Err(_) => rescued.put_back(work),
        }
        drop(alive);
    });
    if thread.is_err() {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
    thread.is_ok()
}

/// Counts the thread out, however it ends.
struct Alive;

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}
