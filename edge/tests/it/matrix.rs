//! Edge under the lifecycle matrix: the hooks of every provider fail, and nothing is left behind.

use std::os::unix::process::parent_id;
use std::path::Path;
use std::time::Duration;

use mainstay_test::LifecycleMatrix;

/// With real sockets, a real lock file and the real clock, so the time that each scenario may take is short. Both of its
/// runnables are restarted: one that fails again and again, or blocks a thread each time, is left out here, because its
/// delays are longer than anybody waits.
///
/// It fails when the boot of `lock` forgets an open file, leaves a name beside the lock, or spawns a task that stays: each
/// is found under the name of its invariant.
#[test]
fn edge_survives_the_faults_of_its_hooks_and_leaves_nothing_behind() {
    // Not in `TMPDIR`, which the matrix empties between its scenarios; and each of its processes has its own, because
    // one that blocks a thread holds the lock for a while beside the others. All of them are in the folder of the first
    // process, since in the others `find` does not return.
    let own = std::process::id();
    let first = std::env::var_os("MAINSTAY_MATRIX_CHILD").map_or(own, |_| parent_id());
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("edge-matrix-{first}"));
    let folder = all.join(own.to_string());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("http.yaml"), "listen: 127.0.0.1:0\n").unwrap();
    let words = ["edge", "--run-mode", "test", "--config-dir", folder.to_str().unwrap()];
    let matrix = LifecycleMatrix::new(|| edge::daemon().runtime_from(words));
    let report = matrix.watch(&folder).real_clock(Duration::from_millis(150)).find();
    std::fs::remove_dir_all(&all).unwrap();
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.scenarios > 100, "{}", report.scenarios);
}
