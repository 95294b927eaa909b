//! Pages of a server: whether it works, and its figures. Nothing else is served, and neither names anybody. Pure.

use std::net::IpAddr;

use super::exchange::Figures;
use super::nodes::NodeFigures;
use crate::relay;

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// `/healthz`: the server works.
    Health,
    /// `/metrics`, in Prometheus' text format (version 0.0.4), for this computer alone: they tell how many people are
    /// connected.
    Metrics,
}

impl Page {
    /// The page that an HTTP request asks for.
    pub(super) fn of(request: &[u8], from: IpAddr) -> Option<Self> {
        let is = |path: &str| {
            let start = request.strip_prefix(b"GET ").and_then(|rest| rest.strip_prefix(path.as_bytes()));
            start.is_some_and(|rest| rest.starts_with(b" HTTP/1."))
        };
        match () {
            () if is("/healthz") => Some(Self::Health),
            () if is("/metrics") && from.to_canonical().is_loopback() => Some(Self::Metrics),
            () => None,
        }
    }
}

/// The whole HTTP response; the connection closes after it.
pub(super) fn response(page: Page, figures: &Figures, relay: Option<relay::Figures>) -> String {
    let body = match page {
        Page::Health => "ok\n".to_owned(),
        Page::Metrics => {
            let nodes = figures.nodes.map(|(figures, dropped)| nodes_metrics(figures, dropped));
            [Some(metrics(figures)), relay.map(relay_metrics), nodes].into_iter().flatten().collect()
        }
    };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn metric(name: &str, kind: &str, help: &str, value: u64) -> String {
    format!("# HELP visavis_{name} {help}\n# TYPE visavis_{name} {kind}\nvisavis_{name} {value}\n")
}

fn metrics(figures: &Figures) -> String {
    let Figures { connections, refused, unproven, counts, .. } = figures;
    [
        metric("connections", "gauge", "Apps that are connected and have proven their key.", *connections as u64),
        metric("refused_connections_total", "counter", "Connections over the limits.", *refused),
        metric("unproven_connections_total", "counter", "Connections that ended without a proof of a key.", *unproven),
        metric("letters_total", "counter", "Letters that were passed on, each copy.", counts.letters),
        metric(
            "unwatched_letters_refused_total",
            "counter",
            "Letters over the limit to boxes that do not watch the sender.",
            counts.knocks_refused,
        ),
    ]
    .concat()
}

fn nodes_metrics(figures: NodeFigures, dropped: u64) -> String {
    let NodeFigures { nodes, letters, lost_links } = figures;
    [
        metric("nodes", "gauge", "Other nodes of this server that this one is joined with.", nodes as u64),
        metric("node_letters_total", "counter", "Letters that were passed on to other nodes, each copy.", letters),
        metric("node_dropped_messages_total", "counter", "Messages to other nodes that NATS did not take.", dropped),
        metric("node_lost_links_total", "counter", "Links to nodes that began anew after a lost message.", lost_links),
    ]
    .concat()
}

fn relay_metrics(figures: relay::Figures) -> String {
    let counter = |name: &str, help: &str, value: u64| metric(name, "counter", help, value);
    let relay::Figures { allocations, allocated, relayed_datagrams, relayed_bytes, .. } = figures;
    let relay::Figures { unwanted_datagrams, throttled_datagrams, throttled_requests, .. } = figures;
    [
        metric("relay_allocations", "gauge", "Allocations of the relay.", allocations as u64),
        counter("relay_allocations_total", "Allocations that were made.", allocated),
        counter("relayed_bytes_total", "Bytes that were passed on, without headers.", relayed_bytes),
        counter("relayed_datagrams_total", "Datagrams that were passed on.", relayed_datagrams),
        counter("relay_unwanted_datagrams_total", "Datagrams without two permissions.", unwanted_datagrams),
        counter("relay_throttled_datagrams_total", "Datagrams beyond a rate.", throttled_datagrams),
        counter("relay_throttled_requests_total", "Requests beyond a rate, left unanswered.", throttled_requests),
        counter("relay_refused_requests_total", "Requests that were refused.", figures.refused_requests),
        counter("relay_over_quota_total", "Requests refused because of a limit.", figures.over_quota_requests),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_few_and_figures_are_for_this_computer_alone() {
        let [near, mapped, far]: [IpAddr; 3] =
            ["127.0.0.1", "::ffff:127.0.0.1", "203.0.113.5"].map(|ip| ip.parse().unwrap());
        let page = |path: &str, from| Page::of(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), from);
        assert_eq!((page("/healthz", far), page("/healthz", near)), (Some(Page::Health), Some(Page::Health)));
        assert_eq!(
            [near, mapped, far].map(|from| page("/metrics", from)),
            [Some(Page::Metrics), Some(Page::Metrics), None]
        );
        for other in ["/", "/healthz2", "/healthz/../metrics", "//healthz", "/visavis/server"] {
            assert_eq!(page(other, near), None, "{other}");
        }
        assert_eq!(Page::of(b"POST /healthz HTTP/1.1\r\n\r\n", near), None);
    }

    #[test]
    fn a_response_is_whole_http() {
        let counts = super::super::directory::Counts { letters: 9, knocks_refused: 0 };
        let figures = Figures { connections: 7, refused: 1, unproven: 2, counts, nodes: None };
        let relay = relay::Figures { allocations: 2, relayed_bytes: 4711, ..relay::Figures::default() };
        let alone = response(Page::Metrics, &figures, None);
        assert!(!alone.contains("relay") && !alone.contains("node") && alone.contains("visavis_letters_total 9\n"));
        let figures = Figures { nodes: Some((NodeFigures { nodes: 3, letters: 8, lost_links: 1 }, 2)), ..figures };
        let response = response(Page::Metrics, &figures, Some(relay));
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains(&format!("Content-Length: {}\r\n", body.len()))
        );
        assert!(body.contains("visavis_connections 7\n") && body.contains("visavis_letters_total 9\n"), "{body}");
        assert!(body.contains("visavis_relay_allocations 2\n") && body.contains("visavis_relayed_bytes_total 4711\n"));
        // The text format 0.0.4: help and type before each metric, names of its characters, `_total` on counters alone.
        let lines: Vec<_> = body.lines().collect();
        for metric in lines.chunks(3) {
            let [help, kind, sample] = metric else { panic!("{metric:?}") };
            let (name, value) = sample.split_once(' ').unwrap();
            assert!(name.starts_with("visavis_") && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')));
            assert!(value.parse::<u64>().is_ok() && help.starts_with(&format!("# HELP {name} ")), "{metric:?}");
            assert_eq!(name.ends_with("_total"), *kind == format!("# TYPE {name} counter"), "{metric:?}");
        }
        assert!(body.ends_with('\n') && lines.len() == 3 * 18);
        assert!(body.contains("visavis_nodes 3\n") && body.contains("visavis_node_letters_total 8\n"));
        assert!(body.contains("_dropped_messages_total 2\n") && body.contains("visavis_node_lost_links_total 1\n"));
    }
}
