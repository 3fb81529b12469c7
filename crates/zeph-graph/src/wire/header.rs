//! Headers of runs as JSON: the graph and the policy that a run starts with.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Diagnostics;
use super::forms::{is_default, to_micros};
use super::spec::{other_version, to_json};
use super::{GraphSpec, VERSION};
use crate::{Budget, Header, OverBudget, Policy};

/// Why a text cannot be read as a header.
#[derive(Debug, thiserror::Error)]
pub enum BadHeader {
    /// The header has another version.
    #[error("the run's header has version {found}; this program reads version {VERSION} only")]
    Version {
        /// The version of the header.
        found: u64,
    },
    /// The text is not JSON, or its fields are not those of a header.
    #[error("the text is not a run's header: {cause}")]
    Json {
        /// The error of `serde_json`.
        #[source]
        cause: serde_json::Error,
    },
    /// The graph in the header is invalid.
    #[error("the graph in the run's header is damaged: {cause}")]
    Graph {
        /// The problems of the graph.
        #[source]
        cause: Diagnostics,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderSpec {
    version: u32,
    graph: GraphSpec,
    policy: PolicySpec,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicySpec {
    max_parallel: NonZeroU32,
    seed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_timeout_us: Option<u64>,
    cancel_grace_us: u64,
    suspend_grace_us: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    budget: Budget,
    #[serde(default, skip_serializing_if = "is_default")]
    over_budget: OverBudget,
}

/// The JSON text of a header, on one line. The same header gives the same text.
#[must_use]
pub fn encode_header(header: &Header) -> String {
    let Policy {
        max_parallel,
        seed,
        run_timeout,
        cancel_grace,
        suspend_grace,
        budget,
        over_budget,
    } = header.policy;
    to_json(&HeaderSpec {
        version: VERSION,
        graph: GraphSpec::from(&header.graph),
        policy: PolicySpec {
            max_parallel,
            seed,
            run_timeout_us: run_timeout.map(to_micros),
            cancel_grace_us: to_micros(cancel_grace),
            suspend_grace_us: to_micros(suspend_grace),
            budget,
            over_budget,
        },
    })
}

/// Reads a header that [`encode_header`] wrote. The tasks and lanes have the same ids.
///
/// It accepts every graph that [`TaskGraph`](crate::TaskGraph) can hold, also one with problems that only
/// [`GraphSpec::check`] reports.
///
/// # Errors
/// If the text is not a header, has another version, or has an invalid graph.
///
/// # Examples
/// ```
/// use zeph_graph::{Header, Policy, TaskGraph, wire};
/// let mut graph = TaskGraph::new();
/// graph.add_task("fetch", []);
/// let header = Header { graph, policy: Policy::default() };
/// let read = wire::decode_header(&wire::encode_header(&header))?;
/// assert_eq!(read.policy, header.policy);
/// assert!(wire::diff(&header.graph, &read.graph).is_empty());
/// # Ok::<(), wire::BadHeader>(())
/// ```
pub fn decode_header(text: &str) -> Result<Header, BadHeader> {
    let spec: HeaderSpec = match serde_json::from_str(text) {
        Ok(spec) => spec,
        Err(cause) => {
            return Err(match other_version(text) {
                Some(found) => BadHeader::Version { found },
                None => BadHeader::Json { cause },
            });
        }
    };
    if spec.version != VERSION {
        let found = u64::from(spec.version);
        return Err(BadHeader::Version { found });
    }
    let policy = spec.policy;
    Ok(Header {
        graph: spec
            .graph
            .restore()
            .map_err(|cause| BadHeader::Graph { cause })?,
        policy: Policy {
            max_parallel: policy.max_parallel,
            seed: policy.seed,
            run_timeout: policy.run_timeout_us.map(Duration::from_micros),
            cancel_grace: Duration::from_micros(policy.cancel_grace_us),
            suspend_grace: Duration::from_micros(policy.suspend_grace_us),
            budget: policy.budget,
            over_budget: policy.over_budget,
        },
    })
}
