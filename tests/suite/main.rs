//! The tests of the whole, in one binary: it links once.

#![expect(
    clippy::unwrap_used,
    reason = "what a test's helpers cannot get is a failed test too"
)]

/// Events, metrics, summary, `status`, report and results of the same campaigns. They wait for
/// half a minute and more, so they are the first: tests begin in the order of their names.
#[cfg(unix)]
mod agreement;
/// Who imports whom, read from the `use` lines.
mod architecture;
/// The log, from which everything can be told again.
mod audit;
/// Machines that are away, and go behind all others.
mod away;
/// The bench that everybody can run.
#[cfg(unix)]
mod bench;
/// What stops a campaign before it does harm.
mod brakes;
/// The same, by the clock on the wall.
mod brakes_by_the_clock;
/// The same in the real program.
mod brakes_program;
/// Machines that others are scanning, and the calls that are not spent on them.
mod busy;
/// Promise 2, to the hundred-thousandth machine.
mod campaign_length;
/// How every row ends, and what stops a campaign.
mod campaign_outcomes;
/// Promise 1, in every window; priorities; a neighbour.
mod campaign_quota;
/// Promise 5, when somebody says stop.
mod campaign_stops;
/// Promise 3, whatever the network loses.
mod campaign_unsure;
/// Campaigns called back, and nobody else's scans.
mod cancel;
/// Clocks that are moved, and computers that sleep.
mod clocks;
/// The real program: streams, files, exit codes.
mod command_line;
/// Proxies, and a company's own certificates.
mod company_network;
/// Promises 3, 4 and 5, wherever the program is killed.
#[cfg(unix)]
mod crash;
/// State files and ledgers that are not as they were written, or were written long ago.
mod damage;
/// `fleetsweep doctor`: each step, and the cure for what failed.
mod doctor;
/// Machines that are never sent to.
mod exclusions;
/// Promises 3, 4 and 5 when the state loses its end, or all of it.
mod faults;
/// Promise 5 while the results are put in order, and somebody wants to stop.
mod final_writing;
/// The alerts on the machines since their scans.
mod findings;
/// Scans watched to their end.
mod follow;
/// When the last call goes out, as it is told in the course of a campaign, against when it went.
mod forecasts;
/// Files that earlier releases wrote.
mod formats;
/// What the devices report of their antivirus, read in virtual time.
mod health;
/// `fleetsweep machines --health`: the same beside the inventory.
mod health_command;
/// The service's word to wait, over the death of a process.
mod holds;
/// Hostile text on a real terminal.
#[cfg(unix)]
mod hostile;
/// Promises 1, 3 and 4 when a campaign is stopped again and again.
mod interruptions;
/// States that are lost, campaigns that overlap, full disks, and answers that hold, in the real program.
#[cfg(unix)]
mod losses;
/// `fleetsweep machines`: the inventory, as a CSV that a campaign takes.
mod machines;
/// Completions and manual pages.
#[cfg(unix)]
mod manual;
/// The mock as a judge of its clients.
mod mock;
/// Names as input, looked up in the inventory.
mod names;
/// The same, where lists, tenants and inputs change.
mod names_kept;
/// Campaigns that come every night, and need nobody.
#[cfg(unix)]
mod nights;
/// What a person sees on a terminal.
#[cfg(unix)]
mod on_a_terminal;
/// Promises 3 and 4 when nothing answers, or only some of it.
mod outages;
/// What a run would do, told beforehand.
mod plan;
/// The end that is planned, against campaigns that run.
mod plan_length;
/// The program and the mock as processes, for the modules around.
mod program;
/// `fleetsweep quota`, and ledgers that are named and not there.
mod quota;
/// The README and the pages of `docs/` do what they say, and lead where they say.
mod readme;
/// Campaigns against the mock tenant inside the process, beside real ones.
mod rehearsals;
/// The report of a campaign.
mod report;
/// The same in a browser.
#[cfg(unix)]
mod report_in_a_browser;
/// `fleetsweep results`.
mod results_command;
/// Going on with a campaign: what an earlier run left, and what a later command may change.
mod resume;
/// Whole campaigns in virtual time, for the modules above.
mod rig;
/// Every file of `sample-inputs/`, and what the roster makes of it.
mod roster_formats;
/// The roster on inputs that nobody thought of.
mod roster_random;
/// What the options and a row's own columns change.
mod roster_rules;
/// Slips are never sent, never dropped, and never repeat one another.
mod roster_slips;
/// What a run writes at its end besides its results, and cannot.
#[cfg(unix)]
mod run_end;
/// How many of a campaign's scans are under way at once.
mod running;
/// Nothing that is written holds a secret.
mod secrets;
/// Promise 1, for several processes of one user.
#[cfg(unix)]
mod sharing;
/// The binary, as a person starts it.
mod shell;
/// Each way to sign in.
mod sign_in;
/// Campaigns in virtual time, by the program itself.
mod simulate;
/// Machines that are left out because of what is known of them.
mod skips;
/// How a campaign stands, asked from another terminal.
mod status;
/// Campaigns that outlive their tokens.
mod token_life;
/// What people do in an incident, and what must not come of it.
mod under_stress;
/// Whether the scans really ran, by the devices' own reports.
mod verified;
/// Metrics, notices and a command at the end, for monitoring.
#[cfg(unix)]
mod watch;
/// What is said at Ctrl-C, and how to go on after a brake.
#[cfg(unix)]
mod words;
/// Workbooks as inputs, and as results beside the CSV.
mod workbooks;
