//! Where the frames of a WebSocket begin and end in a stream of bytes (RFC 6455, 5.2), whatever they carry.

/// A frame that says that the server goes away (status 1001), unmasked as a server's are.
pub(super) const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xE9];

/// Follows a stream of frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The head of the frame that is being read, as far as it is there.
    head: [u8; 14],
    read: usize,
    /// What is to come of its payload.
    left: u64,
}

impl Frames {
    /// Between two frames, which is where something may be put in.
    pub(super) fn is_between(&self) -> bool {
        self.read == 0 && self.left == 0
    }

    /// How many of these bytes belong to the frame that is being read, its last one included; all of them where it does
    /// not end.
    pub(super) fn rest(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.left > 0 {
                let payload = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
                self.left -= payload as u64;
                at += payload;
            } else {
                self.head[self.read] = bytes[at];
                self.read += 1;
                at += 1;
                let Some(payload) = self.payload() else { continue };
                (self.read, self.left) = (0, payload);
            }
            if self.is_between() {
                return at;
            }
        }
        at
    }

    /// The length of the payload, when its head is whole.
    fn payload(&self) -> Option<u64> {
        let head = &self.head[..self.read];
        let second = *head.get(1)?;
        let mask = if second & 0x80 > 0 { 4 } else { 0 };
        let (extended, length) = match second & 0x7F {
            126 => (2, u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?))),
            127 => (8, u64::from_be_bytes(head.get(2..10)?.try_into().ok()?)),
            length => (0, u64::from(length)),
        };
        (head.len() == 2 + extended + mask).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask | u8::try_from(length).unwrap()),
            126..65_536 => {
                frame.push(mask | 0x7E);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(if masked { &[1, 2, 3, 4][..] } else { &[] });
        frame.extend(vec![0x88; length]);
        frame
    }

    #[test]
    fn the_ends_of_frames_are_found_however_they_are_cut_up() {
        let lengths = [0, 1, 125, 126, 70_000, 0, 65_535, 3];
        for masked in [false, true] {
            let (mut stream, mut ends) = (Vec::new(), Vec::new());
            for length in lengths {
                stream.extend(frame(length, masked));
                ends.push(stream.len());
            }
            for piece in [1, 2, 7, 4096, stream.len()] {
                let (mut frames, mut at, mut found) = (Frames::default(), 0, Vec::new());
                for mut bytes in stream.chunks(piece) {
                    while !bytes.is_empty() {
                        let rest = frames.rest(bytes);
                        (at, bytes) = (at + rest, &bytes[rest..]);
                        found.extend(frames.is_between().then_some(at));
                    }
                }
                assert_eq!(found, ends, "in pieces of {piece}");
            }
        }
    }
}
