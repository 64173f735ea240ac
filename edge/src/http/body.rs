//! The bodies of answers: a text, a file in pieces, what an upstream streams, and one that counts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::fs::File;
use tokio_util::io::poll_read_buf;

/// How much of a file is in memory at a time.
const PIECE: usize = 64 * 1024;

/// What an error in the middle of a body is.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A whole text.
pub(crate) fn text(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// No body at all; it costs no allocation.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A file, read while it is sent.
pub(crate) struct FileBody {
    file: File,
    left: u64,
    piece: BytesMut,
}

impl FileBody {
    /// Sends `length` bytes of the file. One that turns out shorter breaks the connection off.
    pub(crate) fn new(file: File, length: u64) -> Self {
        Self { file, left: length, piece: BytesMut::new() }
    }
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        this.piece.reserve(PIECE);
        let read = ready!(poll_read_buf(Pin::new(&mut this.file), cx, &mut this.piece))?;
        if read == 0 {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())));
        }
        let mut piece = this.piece.split();
        piece.truncate(usize::try_from(this.left).unwrap_or(usize::MAX));
        this.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
