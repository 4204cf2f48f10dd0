//! The report of a measurement, for people and for machines.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::tally::{Summary, Tally};
use super::{BenchArguments, Workload};
use crate::client::Endpoint;

const KEY_BYTES: u64 = 16;

/// One measurement.
pub struct Report {
    arguments: BenchArguments,
    endpoints: Vec<String>,
    summary: Summary,
    total: Tally,
    /// The operations of the concurrent writers.
    writes: Option<Summary>,
    /// How many cores this program kept busy.
    cores: Option<f64>,
}

impl Report {
    /// The report of a load, and of its concurrent writers.
    pub fn new(
        arguments: &BenchArguments,
        endpoints: &[Endpoint],
        summary: Summary,
        writes: Option<Summary>,
        cores: Option<f64>,
    ) -> Report {
        let total = summary.total();
        let endpoints = endpoints.iter().map(Endpoint::to_string).collect();
        Report { arguments: arguments.clone(), endpoints, summary, total, writes, cores }
    }

    /// Operations (for `watch`: deliveries) that were counted.
    pub fn operations(&self) -> u64 {
        self.total.operations()
    }

    fn elapsed_s(&self) -> f64 {
        self.summary.elapsed.as_secs_f64()
    }

    /// The report as one JSON document.
    pub fn document(&self) -> Value {
        let arguments = &self.arguments;
        let mut document = json!({
            "workload": arguments.workload.name(),
            "clients": arguments.clients,
            "connections": arguments.conns.min(arguments.clients),
            "keys": arguments.key_count(),
            "key_bytes": KEY_BYTES,
            "value_bytes": arguments.value,
            "limit": self.takes_limit().then(|| arguments.limit()),
            "serializable": arguments.serializable,
            "warmup_seconds": arguments.warmup().as_secs_f64(),
            "seconds": self.elapsed_s(),
            "client_cores_busy": self.cores,
            "items": self.total.items,
            "items_per_second": self.summary.rate(self.total.items),
            "whole_passes": self.total.passes,
            "error_kinds": self.total.errors,
        });
        merge(&mut document, figures(&self.summary, &self.total));
        let members = self.endpoints.iter().zip(&self.summary.by_endpoint);
        let members = members.map(|(endpoint, tally)| {
            let mut member = json!({ "endpoint": endpoint });
            merge(&mut member, figures(&self.summary, tally));
            member
        });
        document["endpoints"] = members.collect();
        if let Some(writes) = &self.writes {
            let total = writes.total();
            document["writers"] = json!(arguments.writers());
            document["writes"] = figures(writes, &total);
            document["writes"]["error_kinds"] = json!(total.errors);
        }
        document
    }

    fn takes_limit(&self) -> bool {
        matches!(self.arguments.workload, Workload::Range | Workload::Page)
    }

    /// The report as lines of text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write_text(&mut text).expect("writing to a string does not fail");
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        let arguments = &self.arguments;
        let who = if arguments.workload == Workload::Watch { "watchers" } else { "clients" };
        writeln!(
            text,
            "{}: {} {who} on {} connections to {} members, keys {KEY_BYTES} B, values {} B, {:.1} s \
             after {:.1} s of warm-up",
            arguments.workload.name(),
            arguments.clients,
            arguments.conns.min(arguments.clients),
            self.endpoints.len(),
            arguments.value,
            self.elapsed_s(),
            arguments.warmup().as_secs_f64(),
        )?;
        let what = if arguments.workload == Workload::Watch { "events" } else { "operations" };
        let (operations, errors) = (self.total.operations(), self.total.error_count());
        let rate = self.summary.rate(operations);
        writeln!(text, "  throughput  {rate:.0} /s  ({operations} {what}, {errors} errors)")?;
        writeln!(text, "  latency     {}", latency_line(&self.total))?;
        if self.takes_limit() {
            let pairs = self.summary.rate(self.total.items);
            write!(text, "  pairs       {pairs:.0} /s, {} per response", arguments.limit())?;
            match arguments.workload {
                Workload::Page => writeln!(text, ", {} whole passes", self.total.passes)?,
                _ => writeln!(text)?,
            }
        }
        for (endpoint, tally) in self.endpoints.iter().zip(&self.summary.by_endpoint) {
            let rate = self.summary.rate(tally.operations());
            writeln!(text, "  {endpoint}  {rate:.0} /s  {}", latency_line(tally))?;
        }
        if let Some(writes) = &self.writes {
            let total = writes.total();
            let rate = writes.rate(total.operations());
            let writers = arguments.writers();
            writeln!(text, "  {writers} writers  {rate:.0} /s  {}", latency_line(&total))?;
            self.write_errors(text, &total)?;
        }
        self.write_errors(text, &self.total)?;
        match self.cores {
            Some(cores) => writeln!(text, "  this client used {:.0} % of a core", cores * 100.0),
            None => Ok(()),
        }
    }

    fn write_errors(&self, text: &mut String, tally: &Tally) -> std::fmt::Result {
        tally.errors.iter().try_for_each(|(reason, count)| writeln!(text, "  error       {count} x {reason}"))
    }
}

/// The figures that every load reports.
fn figures(summary: &Summary, tally: &Tally) -> Value {
    let latencies = &tally.latencies;
    let microseconds = |nanoseconds: u64| nanoseconds as f64 / 1e3;
    let at = |quantile: f64| microseconds(latencies.value_at_quantile(quantile));
    json!({
        "operations": tally.operations(),
        "errors": tally.error_count(),
        "throughput": summary.rate(tally.operations()),
        "latency_us": {
            "mean": latencies.mean() / 1e3,
            "p50": at(0.5),
            "p99": at(0.99),
            "p99_9": at(0.999),
            "max": microseconds(latencies.max()),
        },
    })
}

fn merge(document: &mut Value, more: Value) {
    let (Value::Object(document), Value::Object(more)) = (document, more) else { unreachable!("both are objects") };
    document.extend(more);
}

fn latency_line(tally: &Tally) -> String {
    let time = |nanoseconds| human_time(Duration::from_nanos(nanoseconds));
    let at = |quantile| time(tally.latencies.value_at_quantile(quantile));
    let max = time(tally.latencies.max());
    format!("p50 {}  p99 {}  p99.9 {}  max {max}", at(0.5), at(0.99), at(0.999))
}

fn human_time(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        0.0..1.0 => format!("{:.0} us", milliseconds * 1e3),
        1.0..1000.0 => format!("{milliseconds:.2} ms"),
        _ => format!("{:.2} s", milliseconds / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        assert_eq!(human_time(Duration::from_micros(417)), "417 us");
        assert_eq!(human_time(Duration::from_micros(2_340)), "2.34 ms");
        assert_eq!(human_time(Duration::from_millis(12_340)), "12.34 s");
    }
}
