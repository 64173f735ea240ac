//! Signals: what the process is told from outside, captured before the first hook.

use std::fmt;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

/// A signal, by its meaning. On Windows Ctrl-C is [`Interrupt`](Self::Interrupt), Ctrl-Break and the console's
/// close are [`Terminate`](Self::Terminate); there is no way to send the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGTERM: stop. A second stop signal forces the exit.
    Terminate,
    /// SIGINT: stop, the same as SIGTERM.
    Interrupt,
    /// SIGQUIT: stop.
    Quit,
    /// SIGHUP: reload.
    Hangup,
    /// SIGUSR1: reopen log files.
    User1,
}

impl Signal {
    /// Its number on Linux, for the stop signals also on macOS; the exit code of a forced exit is 128 and this.
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::User1 => 10,
            Self::Terminate => 15,
        }
    }

    pub(crate) fn stops(self) -> bool {
        matches!(self, Self::Terminate | Self::Interrupt | Self::Quit)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Hangup => "SIGHUP",
            Self::User1 => "SIGUSR1",
        })
    }
}

/// Where a runtime hears signals from.
///
/// # Examples
///
/// ```
/// use mainstay_runtime::{Signal, Signals};
///
/// let (sender, signals) = Signals::channel();
/// sender.send(Signal::Hangup);
/// # drop(signals);
/// ```
#[derive(Debug)]
pub struct Signals(Source);

#[derive(Debug)]
enum Source {
    Os,
    None,
    Channel(mpsc::UnboundedReceiver<Signal>),
}

impl Signals {
    /// The process' own signals: the default. They are captured before the first hook and stay captured after the
    /// run: tokio cannot take a handler away. After the outcome, one more TERM or INT ends the process.
    pub fn os() -> Self {
        Self(Source::Os)
    }

    /// None: whoever embeds the runtime listens himself.
    pub fn none() -> Self {
        Self(Source::None)
    }

    /// Signals that a program sends itself: for tests, and for other sources of the same wishes. A second stop
    /// signal ends the run with the forced outcome, but not the process.
    pub fn channel() -> (SignalSender, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (SignalSender(sender), Self(Source::Channel(receiver)))
    }

    pub(crate) fn are_the_process_own(&self) -> bool {
        matches!(self.0, Source::Os)
    }

    /// Starts to listen. Must be called inside of a tokio runtime with I/O for [`Signals::os`].
    pub(crate) fn listen(self) -> std::io::Result<Listening> {
        Ok(match self.0 {
            Source::None => Listening::None,
            Source::Channel(receiver) => Listening::Channel(receiver),
            Source::Os => Listening::Os(os::Streams::open()?),
        })
    }
}

/// Sends signals to a runtime that listens to [`Signals::channel`].
#[derive(Clone, Debug)]
pub struct SignalSender(mpsc::UnboundedSender<Signal>);

impl SignalSender {
    /// Sends one. After the end of the run nobody listens, and nothing happens.
    pub fn send(&self, signal: Signal) {
        let _ = self.0.send(signal);
    }
}

pub(crate) enum Listening {
    None,
    Channel(mpsc::UnboundedReceiver<Signal>),
    Os(os::Streams),
}

impl Listening {
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        match self {
            Self::None => Poll::Pending,
            Self::Channel(receiver) => match receiver.poll_recv(cx) {
                Poll::Ready(Some(signal)) => Poll::Ready(signal),
                // Every sender is gone: nobody will ever send.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
            Self::Os(streams) => streams.poll_recv(cx),
        }
    }

    pub(crate) async fn recv(&mut self) -> Signal {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }
}

#[cfg(unix)]
mod os {
    use super::{Context, Poll, Signal};
    use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

    /// Stop signals first: when several are pending, the one that ends the process is not kept waiting.
    pub(crate) struct Streams([(Signal, Stream); 5]);

    impl Streams {
        pub(crate) fn open() -> std::io::Result<Self> {
            Ok(Self([
                (Signal::Terminate, signal(SignalKind::terminate())?),
                (Signal::Interrupt, signal(SignalKind::interrupt())?),
                (Signal::Quit, signal(SignalKind::quit())?),
                (Signal::Hangup, signal(SignalKind::hangup())?),
                (Signal::User1, signal(SignalKind::user_defined1())?),
            ]))
        }

        pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
            for (signal, stream) in &mut self.0 {
                if let Poll::Ready(Some(())) = stream.poll_recv(cx) {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        }
    }
}

#[cfg(windows)]
mod os {
    use super::{Context, Poll, Signal};
    use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close};

    pub(crate) struct Streams {
        c: CtrlC,
        brk: CtrlBreak,
        close: CtrlClose,
    }

    impl Streams {
        pub(crate) fn open() -> std::io::Result<Self> {
            Ok(Self { c: ctrl_c()?, brk: ctrl_break()?, close: ctrl_close()? })
        }

        pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
            if self.c.poll_recv(cx).is_ready() {
                return Poll::Ready(Signal::Interrupt);
            }
            if self.brk.poll_recv(cx).is_ready() || self.close.poll_recv(cx).is_ready() {
                return Poll::Ready(Signal::Terminate);
            }
            Poll::Pending
        }
    }
}

#[cfg(not(any(unix, windows)))]
mod os {
    use super::{Context, Poll, Signal};

    pub(crate) struct Streams;

    impl Streams {
        pub(crate) fn open() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(crate) fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Signal> {
            Poll::Pending
        }
    }
}
