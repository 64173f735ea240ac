//! What is counted as text: some lines for people, and the text format of Prometheus.

use std::fmt::{self, Write as _};

use super::counters::{BOUNDS, Totals};
use super::rates::{OVER, Rates};

/// All that there is to show.
pub(crate) struct Shown {
    pub(super) totals: Totals,
    pub(super) rates: Rates,
    /// By their paths.
    pub(super) routes: Vec<ShownRoute>,
    pub(super) limited: Limited,
    pub(super) log_dropped: u64,
    pub(super) log_failures: u64,
}

/// What there is of one route.
pub(super) struct ShownRoute {
    pub(super) path: String,
    pub(super) totals: Totals,
    /// How many requests wait for a place.
    pub(super) waiting: usize,
}

/// How many requests found no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limited {
    /// Because their route was full.
    pub(crate) routes: u64,
    /// Because their client had enough of them.
    pub(crate) clients: u64,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (totals, [_, _, ok, moved, client, server]) = (&self.totals, &self.totals.classes);
        let Rates { requests, sent } = self.rates;
        writeln!(
            f,
            "requests   {} begun, {} in flight; 2xx {ok}, 3xx {moved}, 4xx {client}, 5xx {server}; {} cut",
            totals.begun,
            totals.in_flight(),
            totals.cut
        )?;
        writeln!(f, "rates      {requests:.1} requests/s, {sent:.0} bytes/s over {} s", OVER.as_secs())?;
        writeln!(f, "bytes      {} in, {} out", totals.received, totals.sent)?;
        let Limited { routes, clients } = self.limited;
        writeln!(f, "limited    {routes} by a route, {clients} by their client")?;
        writeln!(f, "access log {} lines dropped, {} failures", self.log_dropped, self.log_failures)?;
        for ShownRoute { path, totals, waiting } in &self.routes {
            let mean = totals.micros.checked_div(totals.ended()).unwrap_or_default();
            let (ended, inside) = (totals.ended(), totals.in_flight());
            writeln!(
                f,
                "  {path}  {ended} answers, {} of them 5xx, {mean} us in the mean; {inside} in flight, {waiting} \
                 of them wait",
                totals.classes[5]
            )?;
        }
        Ok(())
    }
}

impl Shown {
    /// The whole of it in version 0.0.4 of the text format. It is this short by hand, and a client of Prometheus would
    /// bring a lock or a second place to count in.
    pub(crate) fn metrics(&self) -> String {
        let mut text = Metrics(String::with_capacity(4096));
        let totals = &self.totals;
        text.head("edge_requests_in_flight", "gauge", "Requests that are being answered.");
        text.value("edge_requests_in_flight", &[], totals.in_flight());
        text.head(
            "edge_requests_total",
            "counter",
            "Requests that have ended, by the class of their status.",
        );
        for (class, count) in classes(totals) {
            text.value("edge_requests_total", &[("class", class)], count);
        }
        text.head("edge_requests_cut_total", "counter", "Answers that were cut short.");
        text.value("edge_requests_cut_total", &[], totals.cut);
        text.head("edge_received_bytes_total", "counter", "Bytes of the bodies of requests.");
        text.value("edge_received_bytes_total", &[], totals.received);
        text.head("edge_sent_bytes_total", "counter", "Bytes of the bodies of answers.");
        text.value("edge_sent_bytes_total", &[], totals.sent);
        text.histogram("edge_request_duration_seconds", "From the head of a request to its end.", totals);
        text.head(
            "edge_limited_requests_total",
            "counter",
            "Requests that found no place, by what was full.",
        );
        text.value("edge_limited_requests_total", &[("by", "route")], self.limited.routes);
        text.value("edge_limited_requests_total", &[("by", "client")], self.limited.clients);
        text.head("edge_log_dropped_lines_total", "counter", "Lines of the access log that were dropped.");
        text.value("edge_log_dropped_lines_total", &[], self.log_dropped);
        text.head("edge_log_failures_total", "counter", "Failed attempts to write the access log.");
        text.value("edge_log_failures_total", &[], self.log_failures);
        text.routes(&self.routes);
        text.0
    }
}

fn classes(totals: &Totals) -> impl Iterator<Item = (&'static str, u64)> {
    // What is no status is not answered with: there is none of it unless an upstream says one.
    ["other", "1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().zip(totals.classes)
}

struct Metrics(String);

impl Metrics {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let _ = write!(self.0, "{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    fn histogram(&mut self, name: &str, help: &str, totals: &Totals) {
        self.head(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(totals.buckets) {
            below += count;
            self.value(&bucket, &[("le", &seconds(*bound))], below);
        }
        // All of them, as one reading has it: what is counted meanwhile is in the next.
        below += totals.buckets[BOUNDS.len()];
        self.value(&bucket, &[("le", "+Inf")], below);
        self.value(&format!("{name}_sum"), &[], seconds(totals.micros));
        self.value(&format!("{name}_count"), &[], below);
    }

    fn routes(&mut self, routes: &[ShownRoute]) {
        self.head("edge_route_requests_total", "counter", "Requests that have ended, by route and class.");
        for ShownRoute { path, totals, .. } in routes {
            for (class, count) in classes(totals).filter(|(_, count)| *count > 0) {
                self.value("edge_route_requests_total", &[("route", path), ("class", class)], count);
            }
        }
        self.head("edge_route_requests_in_flight", "gauge", "Requests that are being answered, by route.");
        for ShownRoute { path, totals, .. } in routes {
            self.value("edge_route_requests_in_flight", &[("route", path)], totals.in_flight());
        }
        self.head("edge_route_requests_waiting", "gauge", "Requests that wait for a place, by route.");
        for ShownRoute { path, waiting, .. } in routes {
            self.value("edge_route_requests_waiting", &[("route", path)], waiting);
        }
        self.head("edge_route_seconds_total", "counter", "What they took together, by route.");
        for ShownRoute { path, totals, .. } in routes {
            self.value("edge_route_seconds_total", &[("route", path)], seconds(totals.micros));
        }
    }
}

/// Microseconds as seconds, to the last of them.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        let mut buckets = [0; BOUNDS.len() + 1];
        (buckets[0], buckets[2], buckets[14]) = (3, 2, 1);
        let classes = [0, 0, 3, 1, 1, 1];
        let totals =
            Totals { begun: 8, classes, cut: 1, received: 5, sent: 999, micros: 12_000_600, buckets };
        Shown {
            routes: vec![ShownRoute { path: "/a\"b/".to_owned(), totals: totals.clone(), waiting: 1 }],
            totals,
            rates: Rates { requests: 1.25, sent: 99.6 },
            limited: Limited { routes: 4, clients: 5 },
            log_dropped: 6,
            log_failures: 7,
        }
    }

    #[test]
    fn people_see_it_in_a_few_lines() {
        let expected = "requests   8 begun, 2 in flight; 2xx 3, 3xx 1, 4xx 1, 5xx 1; 1 cut\n\
                        rates      1.2 requests/s, 100 bytes/s over 10 s\n\
                        bytes      5 in, 999 out\n\
                        limited    4 by a route, 5 by their client\n\
                        access log 6 lines dropped, 7 failures\n  \
                        /a\"b/  6 answers, 1 of them 5xx, 2000100 us in the mean; 2 in flight, 1 of them wait\n";
        assert_eq!(shown().to_string(), expected);
    }

    #[test]
    fn a_histogram_adds_up_and_a_label_cannot_end_itself() {
        let text = shown().metrics();
        for line in [
            "edge_requests_in_flight 2\n",
            "edge_requests_total{class=\"2xx\"} 3\n",
            "edge_request_duration_seconds_bucket{le=\"0.00025\"} 3\n",
            "edge_request_duration_seconds_bucket{le=\"0.0005\"} 3\n",
            "edge_request_duration_seconds_bucket{le=\"0.001\"} 5\n",
            "edge_request_duration_seconds_bucket{le=\"10\"} 5\n",
            "edge_request_duration_seconds_bucket{le=\"+Inf\"} 6\n",
            "edge_request_duration_seconds_sum 12.0006\n",
            "edge_request_duration_seconds_count 6\n",
            "edge_limited_requests_total{by=\"client\"} 5\n",
            "edge_route_requests_total{route=\"/a\\\"b/\",class=\"5xx\"} 1\n",
        ] {
            assert!(text.contains(line), "no {line} in:\n{text}");
        }
    }

    /// Every line is a comment, or a name that a comment has introduced and one number.
    #[test]
    fn every_series_has_its_type_before_it() {
        let text = shown().metrics();
        let mut typed: Vec<&str> = Vec::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                typed.push(rest.split_once(' ').unwrap().0);
            } else if !line.starts_with("# HELP ") {
                let name = line.split(['{', ' ']).next().unwrap();
                let family = typed.last().unwrap();
                assert!(name.starts_with(family), "{name} below {family}");
                line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
            }
        }
        assert_eq!(typed.len(), 13);
    }
}
