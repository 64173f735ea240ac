//! What `/epoch` answers: each provider that the answer crossed, and whether what they gave belongs
//! together.

use crate::mark::checksum;

/// What one provider gave to an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// Its name.
    pub provider: String,
    /// The epoch that was read.
    pub epoch: u64,
    /// How often its snapshot had changed.
    pub version: u64,
    /// The checksum of the file that it was derived from.
    pub of: String,
    /// The checksum of its value, as it says itself.
    pub sum: String,
    /// Its value.
    pub value: String,
}

impl Crossed {
    /// Reads an answer.
    ///
    /// # Errors
    ///
    /// When it is not one of `/epoch`, with three providers at least.
    pub fn all(answer: &str) -> Result<Vec<Self>, String> {
        let all: Option<Vec<Self>> = answer.lines().map(Self::one).collect();
        match all {
            Some(all) if all.len() >= 3 => Ok(all),
            _ => Err(format!("this is not what /epoch answers:\n{answer}")),
        }
    }

    fn one(line: &str) -> Option<Self> {
        let mut words = line.splitn(10, ' ');
        let mut word = |name: Option<&str>| {
            if name.is_some_and(|name| words.next() != Some(name)) { None } else { words.next() }
        };
        Some(Self {
            provider: word(None)?.to_owned(),
            epoch: word(Some("epoch"))?.parse().ok()?,
            version: word(Some("version"))?.parse().ok()?,
            of: word(Some("of"))?.to_owned(),
            sum: word(Some("sum"))?.to_owned(),
            value: word(None)?.to_owned(),
        })
    }

    /// Checks that they are of one file and one epoch, and each value whole.
    ///
    /// # Errors
    ///
    /// When they are not: what does not fit.
    pub fn belong_together(all: &[Self]) -> Result<(), String> {
        if let Some(broken) =
            all.iter().find(|one| one.sum != format!("{:016x}", checksum(one.value.as_bytes())))
        {
            return Err(format!("the checksum is another's: {broken:?}"));
        }
        // Each of them publishes in every reload, so what is visible together has changed equally often.
        let key = |one: &Self| (one.epoch, one.version, one.of.clone());
        match all.windows(2).find(|two| key(&two[0]) != key(&two[1])) {
            Some(two) => Err(format!("two epochs in one answer: {:?} and {:?}", two[0], two[1])),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;

    #[test]
    fn what_is_written_is_read_and_a_mix_is_seen() {
        let line =
            |of, epoch| format!("a epoch {epoch} version 3 {}\n", Mark::new(of, "two words".to_owned()));
        let good = Crossed::all(&line(1, 7).repeat(3)).unwrap();
        assert_eq!((good[0].epoch, good[2].version, good[1].value.as_str()), (7, 3, "two words"));
        Crossed::belong_together(&good).unwrap();
        for other in [line(2, 7), line(1, 8), line(1, 7).replace("two words", "a few")] {
            let mixed = Crossed::all(&format!("{}{other}", line(1, 7).repeat(2))).unwrap();
            Crossed::belong_together(&mixed).unwrap_err();
        }
        Crossed::all(&line(1, 7)).unwrap_err();
        Crossed::all("no\nsuch\nlines\n").unwrap_err();
    }
}
