//! The default run of a command without a run's name.

use zeph_graph::RunId;
use zeph_memory::{ListQuery, RawGraphStore};

use crate::exit::{CliError, Exit};

/// The newest run; with `open` only among those that are open (`true`) or have ended (`false`).
pub(crate) async fn newest(
    store: &dyn RawGraphStore,
    open: Option<bool>,
) -> Result<RunId, CliError> {
    let query = ListQuery {
        limit: 1,
        open,
        ..ListQuery::default()
    };
    let row = store.list(query).await?.pop();
    row.map(|row| row.run).ok_or_else(|| {
        let message = if open == Some(true) {
            "no run is open"
        } else {
            "there are no runs yet"
        };
        CliError::new(Exit::Usage, message)
            .code("no_such_run")
            .help("`zeph run PLAN` starts one, `zeph list` shows the runs")
    })
}
