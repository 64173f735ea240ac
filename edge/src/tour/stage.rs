//! What the tour plays with: a folder for each edge, the edges in them, and upstreams that do not answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::drive::{Child, Ended};

/// How long anything that is waited for may take before the tour gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// What `/files/big.txt` is.
pub(crate) const BIG: usize = 96 * 1024;

/// All folders of one tour; dropping it removes them.
pub(crate) struct Stage {
    folder: PathBuf,
    program: PathBuf,
}

/// One edge: its folder, and its process while it runs.
pub(crate) struct Actor {
    pub(crate) folder: PathBuf,
    program: PathBuf,
}

impl Stage {
    pub(crate) fn set() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("edge-tour-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder: folder.canonicalize()?, program: std::env::current_exe()? })
    }

    /// A folder with settings and a file to serve.
    pub(crate) fn actor(&self, name: &str, settings: &str) -> Result<Actor, String> {
        let folder = self.folder.join(name);
        let actor = Actor { folder, program: self.program.clone() };
        let set = || {
            std::fs::create_dir_all(actor.folder.join("public"))?;
            std::fs::write(actor.folder.join("public/big.txt"), "x".repeat(BIG))
        };
        set().map_err(|error| format!("cannot use {}: {error}", actor.folder.display()))?;
        actor.write(settings)?;
        Ok(actor)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Actor {
    /// Starts edge, with a verb or without.
    pub(crate) fn start(&self, verb: &[&str]) -> Result<Child, String> {
        let folder = self.folder.to_string_lossy();
        let flags = ["--config-dir", &*folder];
        Child::start(&self.program, &self.folder, verb.iter().chain(&flags))
            .map_err(|error| format!("cannot start {}: {error}", self.program.display()))
    }

    /// Replaces `http.yaml` in one step, as an editor or a deployment does.
    pub(crate) fn write(&self, settings: &str) -> Result<(), String> {
        let (new, file) = (self.folder.join("http.yaml.new"), self.file());
        std::fs::write(&new, settings)
            .and_then(|()| std::fs::rename(new, &file))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.join("http.yaml")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join("edge.lock")
    }

    /// A line without the path of the folder, which is the tour's own affair.
    pub(crate) fn without_folder(&self, line: &str) -> String {
        line.replace(&format!("{}/", self.folder.display()), "")
    }

    /// Who is written in the lock file: empty after a stop in good order.
    pub(crate) fn holder(&self) -> String {
        std::fs::read_to_string(self.lock()).unwrap_or_default().trim().to_owned()
    }
}

/// The first words of an edge, up to the address.
pub(crate) async fn first_words(child: &Child) -> Result<(Vec<String>, SocketAddr), String> {
    let address = |line: &str| line.strip_prefix("ready  http://")?.parse().ok();
    let address = child.line(PATIENCE, address).await?;
    // What it suggests to try stands below the address.
    child.line(PATIENCE, |line| line.contains("kill -TERM").then_some(())).await?;
    Ok((child.said().lines(), address))
}

/// Waits for the end of a child, which has this exit code.
pub(crate) async fn ends(child: Child, code: i32) -> Result<Ended, String> {
    let ended = child.end(PATIENCE).await?;
    if ended.code() == Some(code) {
        return Ok(ended);
    }
    Err(format!("expected exit {code}, got {}; it said:\n{}", ended.status, ended.lines.join("\n")))
}

/// The first line of an ended child with this part in it.
pub(crate) fn line(ended: &Ended, part: &str) -> Result<String, String> {
    let line = ended.line(part).map(|line| line.trim().to_owned());
    line.ok_or_else(|| format!("no line with '{part}'; it said:\n{}", ended.lines.join("\n")))
}

/// The failure in the report of an ended child, if it says this; paths without the actor's folder.
pub(crate) fn failure(ended: &Ended, actor: &Actor, part: &str) -> Result<String, String> {
    let lines = ended.lines.iter().map(|line| actor.without_folder(line));
    let mut named = lines.filter(|line| line.starts_with("error[") && line.contains(part));
    named.next().ok_or_else(|| format!("no failure with '{part}'; it said:\n{}", ended.lines.join("\n")))
}

/// An upstream that takes connections and answers when it is told to, or never.
pub(crate) struct Silent {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Silent {
    pub(crate) async fn listen() -> Result<Self, String> {
        let bound = async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            Ok::<_, std::io::Error>(Self { listener, address })
        };
        bound.await.map_err(|error| format!("cannot listen: {error}"))
    }

    /// Waits until somebody has asked, and leaves them waiting.
    pub(crate) async fn asked(&self) -> Result<TcpStream, String> {
        let asked = async {
            let (mut stream, _) = self.listener.accept().await?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            Ok::<_, std::io::Error>(stream)
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(asked) => asked.map_err(|error| format!("the question broke off: {error}")),
            Err(_) => Err("nobody asked the upstream".to_owned()),
        }
    }

    /// Answers one who asked.
    pub(crate) async fn answer(mut stream: TcpStream) -> Result<(), String> {
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        stream.write_all(answer).await.map_err(|error| format!("nobody took the answer: {error}"))
    }
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> Result<SocketAddr, String> {
    Ok(Silent::listen().await?.address)
}
