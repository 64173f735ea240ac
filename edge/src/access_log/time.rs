//! The time of a line: RFC 3339, in UTC, with milliseconds.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A time, shown like `2026-11-25T22:13:01.123Z`. One before 1970 is shown as the first moment of it.
pub(super) struct Utc(pub(super) SystemTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let millis = since.subsec_millis();
        // Piece by piece into an array: a formatted `write!` of seven numbers costs more than the rest of the line.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (at, width, number) in [
            (0, 4, year),
            (5, 2, month),
            (8, 2, day),
            (11, 2, hour),
            (14, 2, minute),
            (17, 2, second),
            (20, 3, u64::from(millis)),
        ] {
            let mut left = number;
            for digit in text[at..at + width].iter_mut().rev() {
                *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
                left /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The year, month and day of a count of days since 1970: `civil_from_days` of Howard Hinnant's *chrono-Compatible
/// Low-Level Date Algorithms*, for days that are not negative. Its years begin in March, so that a leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shown(seconds: u64, millis: u64) -> String {
        Utc(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + millis)).to_string()
    }

    #[test]
    fn a_time_is_that_of_other_programs() {
        // Each as `date -u -d @SECONDS +%FT%TZ` says it.
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(shown(1_709_251_199, 999), "2024-02-29T23:59:59.999Z");
        assert_eq!(shown(1_709_251_200, 0), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown(1_795_644_781, 123), "2026-11-25T22:13:01.123Z");
        assert_eq!(shown(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(Utc(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_four_hundred_years_comes_after_the_one_before() {
        let mut last = (1969, 12, 31);
        for days in 0..146_097 {
            let now = date(days);
            let next = (now.0, now.1, now.2) > last && (now.2 == last.2 + 1 || now.2 == 1);
            assert!(next, "{last:?} and then {now:?}");
            last = now;
        }
        assert_eq!(last, (2369, 12, 31));
    }
}
