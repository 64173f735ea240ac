//! A name server on loopback, over UDP, that says what it is told to and counts what it is asked.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// It says nothing until it is told what. Dropping it ends it.
pub struct NameServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

/// What it says of every name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Says {
    /// Nothing at all, like one that is not there.
    #[default]
    Nothing,
    /// These A records, with this TTL in seconds.
    Addresses(Vec<[u8; 4]>, u32),
    /// That there is no such name.
    NoSuchName,
}

#[derive(Default)]
struct Shared {
    says: Mutex<Says>,
    asked: AtomicU64,
}

impl NameServer {
    /// Starts it on a free port.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let (address, shared) = (socket.local_addr()?, Arc::<Shared>::default());
        let mut task = JoinSet::new();
        let its = Arc::clone(&shared);
        task.spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                if let Some(answer) = its.answer(&question[..length]) {
                    // Who does not take it asks again.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, shared, _task: task })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says from now on.
    pub fn says(&self, says: Says) {
        *self.shared.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }

    /// Says that every name is at 127.0.0.x, for each x, with this TTL in seconds.
    pub fn addresses(&self, last: &[u8], ttl: u32) {
        self.says(Says::Addresses(last.iter().map(|last| [127, 0, 0, *last]).collect(), ttl));
    }

    /// How many questions for A records it was asked.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// RFC 1035, section 4: the header with its bits turned, the question as it was, and the records.
    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let name = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)?;
        let (kind, asked) = (*question.get(name + 2)?, question.get(12..name + 5)?);
        let is_a = kind == 1;
        self.asked.fetch_add(u64::from(is_a), Ordering::SeqCst);
        let (addresses, ttl, code) = match self.says.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Says::Nothing => return None,
            Says::NoSuchName => (vec![], 0, 3),
            Says::Addresses(addresses, ttl) => (if is_a { addresses } else { vec![] }, ttl, 0),
        };
        let mut answer = question[..2].to_vec();
        answer.extend([0x81, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).ok()?, 0, 0, 0, 0]);
        answer.extend(asked);
        for address in addresses {
            // A pointer to the name in the question, A, IN, the TTL, and four bytes.
            answer.extend([0xc0, 12, 0, 1, 0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend([0, 4]);
            answer.extend(address);
        }
        Some(answer)
    }
}
