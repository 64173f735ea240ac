//! `edge tour`: starts real edges, drives them, and checks every line that it prints.
//!
//! The scenes are in the order in which they are played. A scene that is added belongs at the end of its
//! file, with the promises that it is evidence for.

#[cfg(unix)]
mod boots;
#[cfg(unix)]
mod crashes;
#[cfg(unix)]
mod page;
#[cfg(unix)]
mod raw;
#[cfg(unix)]
mod stage;
#[cfg(unix)]
mod traffic;

use mainstay::{Daemon, Outcome};

/// Plays the tour; its outcome is the verdict.
#[cfg(unix)]
pub(crate) fn run(_: &Daemon) -> Outcome {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::refused(format!("error: the tour cannot start: {error}"), 1),
    };
    let kept = runtime.block_on(async {
        let mut page = page::Page::printed();
        // Whatever is dropped here takes its processes and its folder along.
        let played = tokio::select! {
            played = play(&mut page) => Ok(played),
            () = tokio::time::sleep(LONGEST) => Err(format!("the tour did not end in {LONGEST:?}")),
            signal = interrupted() => Err(signal),
        };
        let played = played.unwrap_or_else(|why| page.check(&[], Err(why)));
        page.verdict(&played)
    });
    if kept { Outcome::done() } else { Outcome::refused("error: the tour did not keep what it shows", 1) }
}

/// Without signals there is nothing to show.
#[cfg(not(unix))]
pub(crate) fn run(_: &Daemon) -> Outcome {
    Outcome::refused("error: the tour sends signals, and this system has none", 1)
}

/// What the tour may take at most; it takes a third of it.
#[cfg(unix)]
const LONGEST: std::time::Duration = std::time::Duration::from_secs(90);

/// Waits until somebody has seen enough.
#[cfg(unix)]
async fn interrupted() -> String {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => "interrupted by SIGINT".to_owned(),
            _ = terminate.recv() => "interrupted by SIGTERM".to_owned(),
        },
        // Then a signal ends the process as it always does.
        _ => std::future::pending().await,
    }
}

#[cfg(unix)]
async fn play(page: &mut page::Page) -> Result<(), page::Broken> {
    let stage = match stage::Stage::set() {
        Ok(stage) => stage,
        Err(error) => return page.check(&[], Err(format!("there is no folder for the tour: {error}"))),
    };
    boots::plan_and_boot(page, &stage).await?;
    let mut main = traffic::Main::start(page, &stage).await?;
    main.load(page).await?;
    main.good_reloads(page).await?;
    main.listeners(page).await?;
    main.bad_files(page).await?;
    main.epochs(page).await?;
    boots::failing(page, &stage, &main.actor, main.pid()).await?;
    boots::hanging(page, &stage).await?;
    main.beside(page)?;
    crashes::panic(page, &stage).await?;
    crashes::kill(page, &stage).await?;
    main.stop(page).await
}
