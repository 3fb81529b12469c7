//! `zeph config show`: the settings that count, and where each one is set.

use serde_json::{Value, json};
use zeph_config::{Layer, env_name, keys};

use crate::args::{ConfigArgs, ConfigDo};
use crate::context::AppContext;
use crate::exit::Exit;
use crate::out::Tone;
use crate::read::page::{self, Cell, Page};

/// A setting with its value and its origin.
struct Setting {
    key: &'static str,
    value: String,
    layer: Layer,
    origin: String,
}

pub(crate) fn run(cx: &AppContext, args: &ConfigArgs) -> Exit {
    match args.what {
        ConfigDo::Show => {}
    }
    let settings = settings(cx);
    let json = || {
        let settings = settings.iter().map(to_json);
        let withheld = cx.config.withheld.iter();
        let withheld = withheld.map(|one| json!({ "key": one.key, "value": one.value }));
        json!({
            "settings": settings.collect::<Vec<_>>(),
            "commands": cx.config().commands.keys().collect::<Vec<_>>(),
            "mcp": cx.config().mcp.keys().collect::<Vec<_>>(),
            "withheld": withheld.collect::<Vec<_>>(),
        })
    };
    page::print(cx, json, |page| render(cx, page, &settings, args.origin))
}

fn settings(cx: &AppContext) -> Vec<Setting> {
    let setting = |key| {
        let config = &cx.config;
        let mut origin = config.origin_of(key).unwrap_or_default();
        let mut value = config.value_of(key).unwrap_or_default();
        let mut layer = config.layer_of(key).unwrap_or(Layer::Default);
        if key == "db" {
            // Its flag and its variable may have any bytes.
            origin = cx.db_origin();
            value = cx.shown_db().unwrap_or(value);
            if cx.global.db.is_some() {
                layer = Layer::Flag;
            } else if origin == env_name(key) {
                layer = Layer::Env;
            }
        }
        Setting {
            key,
            value: without_password(&value),
            layer,
            origin,
        }
    };
    keys().map(setting).collect()
}

/// An address without the name and the password in it; any other text as it is.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => text.to_owned(),
    }
}

fn render(cx: &AppContext, page: &mut Page, settings: &[Setting], has_origins: bool) {
    let cells = |setting: &Setting| {
        let tone = match setting.layer {
            Layer::Default => Tone::Quiet,
            Layer::UserFile | Layer::ProjectFile | Layer::Env | Layer::Flag => Tone::Plain,
        };
        let mut cells = vec![
            Cell::new(tone, setting.key),
            Cell::new(tone, setting.value.as_str()),
        ];
        if has_origins {
            cells.push(Cell::new(Tone::Quiet, setting.origin.as_str()));
        }
        cells
    };
    let rows: Vec<Vec<Cell>> = settings.iter().map(cells).collect();
    let header: &[&str] = if has_origins {
        &["SETTING", "VALUE", "SET BY"]
    } else {
        &["SETTING", "VALUE"]
    };
    page.table(0, header, &rows);
    let commands = &cx.config().commands;
    if !commands.is_empty() {
        let names = commands.keys().map(String::as_str);
        page.gap();
        page.line(format!("commands: {}", page::names(names, commands.len())));
    }
    let servers = &cx.config().mcp;
    if !servers.is_empty() {
        let names = servers.keys().map(String::as_str);
        page.gap();
        page.line(format!(
            "MCP servers: {}",
            page::names(names, servers.len())
        ));
    }
}

fn to_json(setting: &Setting) -> Value {
    let layer = match setting.layer {
        Layer::Default => "default",
        Layer::UserFile => "user_file",
        Layer::ProjectFile => "project_file",
        Layer::Env => "variable",
        Layer::Flag => "flag",
    };
    json!({
        "key": setting.key,
        "value": setting.value,
        "layer": layer,
        "origin": setting.origin,
        "variable": env_name(setting.key),
    })
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let table = [
            ("http://me:secret@proxy:8080/a@b", "http://…@proxy:8080/a@b"),
            ("http://proxy:8080/a@b", "http://proxy:8080/a@b"),
            ("a/b@c", "a/b@c"),
        ];
        for (text, shown) in table {
            assert_eq!(without_password(text), shown);
        }
    }
}
