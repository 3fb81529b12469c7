//! The scripted service: every row, with streamed and with whole answers.

use zeph_tests::wire::{Mode, play, rows};

use crate::report::Report;

/// Every row in both modes.
pub(crate) async fn check(report: &mut Report) -> Result<(), String> {
    for row in rows() {
        for mode in [Mode::Streamed, Mode::Whole] {
            if !row.fits(mode) {
                continue;
            }
            let who = match mode {
                Mode::Streamed => "streamed",
                Mode::Whole => "whole",
            };
            report.case(who, row.name, play(&row, mode)).await;
        }
    }
    Ok(())
}
