//! Temporary.
use std::time::Instant;
use zeph_planfile::{Format, Plan};
#[test]
fn hostile() {
    let n = 15 << 20;
    let cases: Vec<(&str, Format, String)> = vec![
        ("open brackets", Format::Toml, "[".repeat(n)),
        ("a=[", Format::Toml, format!("a={}", "[".repeat(n))),
        ("dotted", Format::Toml, "a.".repeat(n / 2)),
        ("dotted keys", Format::Toml, (0..n / 12).map(|i| format!("a.k{i}=1\n")).collect()),
        ("tables", Format::Toml, (0..n / 20).map(|i| format!("[tasks.t{i}]\n")).collect()),
        ("needs", Format::Toml, format!("[tasks.a]\nneeds=[{}]\nrun=['x',{}]", "'b',".repeat(n / 8), "'${{ tasks.b.exit }}',".repeat(n / 50))),
        ("shs", Format::Toml, format!("[params]\np='1'\n[tasks.a]\nrun=['x',{}]", "'sh','-o',".repeat(n / 10))),
        ("evals", Format::Toml, format!("[params]\np='1'\n[tasks.a]\nrun=['env',{}{}]", "'eval',".repeat(n / 20), "'${{ params.p }}',".repeat(n / 40))),
        ("expressions", Format::Toml, format!("[params]\np='1'\n[tasks.a]\nstdin='{}'\nrun=['x']", "${{ params.p }}".repeat(n / 16))),
        ("open expr", Format::Toml, format!("[tasks.a]\nstdin='{}'\nrun=['x']", "${{ ".repeat(n / 4))),
        ("dollars", Format::Toml, format!("[tasks.a]\nstdin='{}'\nrun=['x']", "$".repeat(n))),
        ("json keys", Format::Json, format!("{{{}\"z\":1}}", (0..n / 14).map(|i| format!("\"k{i}\":[],")).collect::<String>())),
        ("json nest", Format::Json, "{\"a\":".repeat(n / 5)),
        ("self refs", Format::Toml, (0..n / 60).map(|i| format!("[tasks.t{i}]\nneeds=['x{i}']\nrun=['x','${{{{ tasks.y{i}.exit }}}}']\n")).collect()),
    ];
    for (name, format, text) in cases {
        let t = Instant::now();
        let r = Plan::load(&text, format, "x");
        let first = match &r { Ok(_) => "ok".into(), Err(e) => format!("{} {}", e.as_slice().len(), e.as_slice()[0]) };
        let a = t.elapsed();
        if let Ok(p) = r { let t = Instant::now(); let b = p.bind(&Default::default()); println!("  bind {:?} {}", t.elapsed(), b.is_ok()); }
        println!("{name}: {a:?} {:.120}", first);
    }
}
