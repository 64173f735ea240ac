//! One supervised child for each thing that the newest snapshot names: begun with it, and gone with it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use mainstay::{ResultExt, RunContext, Snapshot};

/// Keeps a child for each of `wanted`, by name, until the task is asked to stop. One whose value is another one than
/// before is begun anew; whatever else a reload changes is for the child to read.
pub(crate) async fn follow<T: Send + Sync + 'static, K: Send + Sync>(
    cx: &RunContext,
    snapshot: &Snapshot<T>,
    wanted: impl Fn(&T) -> Vec<(String, Arc<K>)> + Send,
    begin: impl Fn(String, Arc<K>) -> mainstay::Result<()> + Send,
) -> mainstay::Result<()> {
    let mut kept: BTreeMap<String, Arc<K>> = BTreeMap::new();
    loop {
        // Noted before the value is used: a change meanwhile is not missed.
        let changed = snapshot.changed();
        let wanted = snapshot.try_load().map(|value| wanted(&value)).unwrap_or_default();
        let wanted: BTreeMap<String, Arc<K>> = wanted.into_iter().collect();
        let stays = |name: &String, of: &Arc<K>| wanted.get(name).is_some_and(|now| Arc::ptr_eq(now, of));
        let gone: Vec<String> =
            kept.iter().filter(|(name, of)| !stays(name, of)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            kept.remove(&name);
            if let Some(child) = cx.children().get(&name) {
                child.stop().await.boxed()?;
                child.remove().boxed()?;
            }
        }
        for (name, of) in wanted {
            if let Entry::Vacant(new) = kept.entry(name) {
                begin(new.key().clone(), Arc::clone(&of))?;
                new.insert(of);
            }
        }
        if cx.until_shutdown(changed).await.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mainstay::{Registry, RestartPolicy, Runtime, Signals, runnable};
    use tokio::time::timeout;

    use super::*;

    type Named = Vec<(String, Arc<u32>)>;

    async fn follows(named: Arc<Snapshot<Named>>, cx: RunContext) -> mainstay::Result<()> {
        let begin = |name: String, of: Arc<u32>| {
            let policy = RestartPolicy::on_failure().initial_delay(Duration::ZERO).unlimited();
            let body = move |cx: RunContext| {
                let of = Arc::clone(&of);
                async move {
                    assert!(cx.generation() > 1 || *of != 13, "as asked");
                    cx.note(of.to_string());
                    cx.shutdown_token().cancelled().await;
                    Ok(())
                }
            };
            cx.supervise(name, policy, body).map(drop).boxed()
        };
        follow(&cx, &named, Clone::clone, begin).await
    }

    #[tokio::test]
    async fn children_are_those_of_the_newest_value_and_one_that_panics_is_started_again() {
        let named = Arc::new(Snapshot::<Named>::empty());
        let registry: Registry<Arc<Snapshot<Named>>> = Registry::new();
        registry.insert(Arc::new(runnable("follows", follows)));
        let runtime = Runtime::new(registry, Arc::clone(&named)).signals(Signals::none());
        let running = runtime.start().await.unwrap();
        let control = running.control();
        let becomes = async |wanted: &[&str]| {
            let seen = async {
                loop {
                    let status = control.status();
                    let children = status.runnable("follows").unwrap().children.iter();
                    let said: Vec<String> = children
                        .map(|child| {
                            let note = child.note.as_deref().unwrap_or_default();
                            format!("{} {note} #{}", child.name, child.generation)
                        })
                        .collect();
                    if said == wanted {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(20), seen).await.expect("they are others");
        };
        // Nothing is published yet, and there is nothing to follow.
        becomes(&[]).await;
        let (one, two) = (Arc::new(1), Arc::new(2));
        let of = |name: &str, of: &Arc<u32>| (name.to_owned(), Arc::clone(of));
        named.publish(vec![of("a", &one), of("b", &two), of("c", &Arc::new(13))]);
        becomes(&["a 1 #1", "b 2 #1", "c 13 #2"]).await;
        // Another value under the same name is another child.
        named.publish(vec![of("b", &two), of("a", &Arc::new(3)), of("d", &one)]);
        becomes(&["a 3 #1", "b 2 #1", "d 1 #1"]).await;
        named.publish(vec![]);
        becomes(&[]).await;
        control.shutdown("done");
        assert_eq!(running.wait().await.exit_code(), 0);
    }
}
