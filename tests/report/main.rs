//! What people look at: reports, their page in a browser, pictures drawn and pictures read.

#[path = "../common/skipped.rs"]
mod skipped;
#[path = "../common/small_data.rs"]
mod small_data;

#[cfg(unix)]
mod browser;
mod data_folders;
mod drawn;
mod framed;
mod hard_pictures;
mod picture;
mod pictures;
mod predict;
mod report;
#[cfg(unix)]
mod report_page;
mod trained;
