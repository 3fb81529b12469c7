//! Tools of servers of the Model Context Protocol, for agents.
//!
//! [`McpServer`] is a connection to one server. Its tools implement [`Tool`](zeph_subagent::Tool) and are named
//! `SERVER__TOOL`, such as `files__read_text_file`: services of models accept these characters, and no other tool
//! has two underscores after the name of a server.
//!
//! A server is not trusted. Its tools are listed once, so what it offers cannot change under a plan that a person
//! has approved. Descriptions lose hidden characters and everything beyond 1 KiB; a tool with a schema above 32 KiB,
//! or with hidden characters in names or values, is left out. At most 1,000 tools on 100 pages are listed. What a server says about its
//! tools ("reads only") counts only if the settings say so. Each call has a time-out, a message has at most
//! 16 MiB and a result at most 256 KiB; images, sound and other bytes are named and left out. Requests of a server
//! for a model, for files or for an answer of the user are declined.
//!
//! With the feature `server`, [`serve`] is the other side: tools for an assistant.

mod result;
#[cfg(feature = "server")]
mod serve;
mod server;
mod tool;

#[cfg(feature = "server")]
pub use serve::{ServeError, ServerAbout, serve};
pub use server::{McpError, McpServer, Refused};
