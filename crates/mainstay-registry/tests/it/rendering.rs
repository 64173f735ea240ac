//! Plans on paper: text, Mermaid and JSON, possible or broken, whatever the names are.

use std::{sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use mainstay_registry::{
    Deadlines, Dependencies, NamedRunnable, Provider, ReadyWhen, Registry, Reloadable, Result, Runnable,
    TaskFuture, Validate, async_trait, priority,
};

use crate::support::{Log, Spec, nodes, without_lines};

#[allow(clippy::needless_pass_by_value, reason = "as `expect!` makes it")]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&without_lines(text));
}

struct Config;
#[async_trait]
impl Reloadable<()> for Config {
    async fn reload(&self, (): &()) -> Result<()> {
        Ok(())
    }
}
impl Provider<()> for Config {
    fn name(&self) -> &'static str {
        "config"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(priority::FIRST)
    }
    fn validate_when(&self) -> Validate {
        Validate::BeforeBoot
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        Some(self)
    }
}

trait Store: Send + Sync {}

struct Disk;
impl Store for Disk {}
#[async_trait]
impl Reloadable<()> for Disk {
    fn priority(&self) -> Option<u8> {
        Some(30)
    }
    async fn reload(&self, (): &()) -> Result<()> {
        Ok(())
    }
}
impl Provider<()> for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(priority::LATE)
    }
    fn deadlines(&self) -> Deadlines {
        Deadlines::new().boot(Duration::from_secs(90)).stop(Duration::from_millis(1500))
    }
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new().requires::<Config>()
    }
    fn as_reloadable(&self) -> Option<&dyn Reloadable<()>> {
        Some(self)
    }
}

struct Cache;
impl Provider<()> for Cache {}

struct Listener(ReadyWhen);
impl Runnable<()> for Listener {
    fn run(&self, (): ()) -> TaskFuture {
        Box::pin(async { Ok(()) })
    }
    fn ready_when(&self) -> ReadyWhen {
        self.0
    }
}

struct Http(Listener, Listener);
impl Provider<()> for Http {
    fn name(&self) -> &'static str {
        "http"
    }
    fn dependencies(&self) -> Dependencies<()> {
        Dependencies::new()
            .requires::<Config>()
            .requires_dyn::<dyn Store>()
            .wants::<Cache>()
            .wants::<Ticker>()
    }
    fn runnables(&self) -> Vec<NamedRunnable<'_, ()>> {
        vec![NamedRunnable::new("public", &self.0), NamedRunnable::new("admin", &self.1)]
    }
}

struct Ticker(Listener);
impl Provider<()> for Ticker {
    fn name(&self) -> &'static str {
        "ticker"
    }
    fn run_priority(&self) -> Option<u8> {
        Some(priority::LAST)
    }
    fn boot_priority(&self) -> Option<u8> {
        Some(120)
    }
    fn as_runnable(&self) -> Option<&dyn Runnable<()>> {
        Some(&self.0)
    }
}

fn daemon() -> Registry<()> {
    let registry = Registry::new();
    registry
        .insert(Arc::new(Http(Listener(ReadyWhen::Signalled), Listener(ReadyWhen::Started))))
        .insert(Arc::new(Disk))
        .insert(Arc::new(Config))
        .insert(Arc::new(Ticker(Listener(ReadyWhen::Started))))
        .bind::<dyn Store, Disk>(|it| it)
        .bind::<dyn Store, Cache>(|_| unreachable!("not registered"));
    registry
}

impl Store for Cache {}

#[test]
fn a_plan_reads_as_text() {
    let plan = daemon().plan().unwrap();
    assert_eq!(plan.to_string(), plan.to_text());
    check(
        &plan.to_text(),
        expect![[r#"
        plan: 4 providers, 3 runnables, 2 reloadable

        boot (stopping is the reverse)
          level 0 (first)
             1  config  validates before boot
          level 100 (normal)
             2  disk    requires config
                        pulled forward from level 150: http needs it here
                        deadlines boot 90s, stop 1.5s
             3  ticker  pulled forward from level 120: http needs it here
             4  http    requires config, disk as dyn Store
                        wants    ticker, Cache (not registered)

        start
          level 100 (normal)
             1  ticker  pulled forward from level 255: http needs it here
             2  http    http/public, ready when it says so
                        http/admin

        reload
          level 30
             1  config  pulled forward from level 100: disk needs it here
             2  disk

        warnings
          MS0110: `it::rendering::Cache` is bound to `dyn it::rendering::Store` and not registered
    "#]],
    );
}

#[test]
fn a_plan_reads_as_mermaid() {
    check(
        &daemon().plan().unwrap().to_mermaid(),
        expect![[r#"
            flowchart LR
              subgraph level0 ["level 0 (first)"]
                n0["1 config"]
              end
              subgraph level100 ["level 100 (normal)"]
                n1["2 disk"]
                n2["3 ticker"]
                n3["4 http"]
              end
              n1 --> n0
              n3 --> n0
              n3 -->|"dyn Store"| n1
              n3 -.-> n2
        "#]],
    );
}

#[test]
fn a_plan_reads_as_json() {
    check(
        &daemon().plan().unwrap().to_json(),
        expect![[r#"
        {
          "possible": true,
          "providers": [
            {"index": 0, "name": "config", "type": "it::rendering::Config", "site": "rendering.rs:#", "registration": 2, "boot_level": 0, "start_level": 100, "reload_level": 30, "pulled": [{"order": "reload", "from": 100, "by": "disk"}], "edges": [], "absent": [], "runnables": [], "reloadable": true, "validate": "before_boot", "deadlines": {}},
            {"index": 1, "name": "disk", "type": "it::rendering::Disk", "site": "rendering.rs:#", "registration": 1, "boot_level": 100, "start_level": 100, "reload_level": 30, "pulled": [{"order": "boot", "from": 150, "by": "http"}], "edges": [{"to": 0, "name": "config", "kind": "requires", "through": null, "site": "rendering.rs:#"}], "absent": [], "runnables": [], "reloadable": true, "validate": "after_boot", "deadlines": {"boot": 90, "stop": 1.5}},
            {"index": 2, "name": "ticker", "type": "it::rendering::Ticker", "site": "rendering.rs:#", "registration": 3, "boot_level": 100, "start_level": 100, "reload_level": 255, "pulled": [{"order": "boot", "from": 120, "by": "http"}, {"order": "start", "from": 255, "by": "http"}], "edges": [], "absent": [], "runnables": [{"name": null, "ready_when": "started"}], "reloadable": false, "validate": "after_boot", "deadlines": {}},
            {"index": 3, "name": "http", "type": "it::rendering::Http", "site": "rendering.rs:#", "registration": 0, "boot_level": 100, "start_level": 100, "reload_level": 255, "pulled": [], "edges": [{"to": 0, "name": "config", "kind": "requires", "through": null, "site": "rendering.rs:#"}, {"to": 1, "name": "disk", "kind": "requires", "through": "dyn it::rendering::Store", "site": "rendering.rs:#"}, {"to": 2, "name": "ticker", "kind": "wants", "through": null, "site": "rendering.rs:#"}], "absent": [{"type": "it::rendering::Cache", "kind": "wants", "site": "rendering.rs:#"}], "runnables": [{"name": "public", "ready_when": "signalled"}, {"name": "admin", "ready_when": "started"}], "reloadable": false, "validate": "after_boot", "deadlines": {}}
          ],
          "start": [2, 3],
          "reload": [0, 1],
          "warnings": [
            {"code": "MS0109", "text": "MS0109: boot of 'disk' is pulled forward from level 150 to 100: 'http' needs it there"},
            {"code": "MS0109", "text": "MS0109: boot of 'ticker' is pulled forward from level 120 to 100: 'http' needs it there"},
            {"code": "MS0109", "text": "MS0109: start of 'ticker' is pulled forward from level 255 to 100: 'http' needs it there"},
            {"code": "MS0109", "text": "MS0109: reload of 'config' is pulled forward from level 100 to 30: 'disk' needs it there"},
            {"code": "MS0110", "text": "MS0110: `it::rendering::Cache` is bound to `dyn it::rendering::Store` and not registered, at rendering.rs:#"}
          ],
          "problems": []
        }
    "#]],
    );
}

#[test]
fn an_empty_plan_renders() {
    let plan = Registry::<()>::new().plan().unwrap();
    assert_eq!(plan.to_text(), "plan: 0 providers, 0 runnables, 0 reloadable\n");
    assert_eq!(plan.to_mermaid(), "flowchart LR\n");
    assert!(plan.to_json().starts_with("{\n  \"possible\": true,\n  \"providers\": [],\n"));
}

#[test]
fn the_text_has_no_places_in_the_source() {
    let registry = nodes([Spec::new("same"), Spec::new("same")]);
    assert!(!registry.plan().unwrap().to_text().contains(".rs"));
}

fn broken() -> Registry<Log> {
    nodes([
        Spec::new("web").requires(1),
        Spec::new("a").requires(2),
        Spec::new("b").wants(1).requires(4),
        Spec::new("bystander"),
    ])
}

#[test]
fn a_broken_graph_renders_as_text_with_the_culprits_marked() {
    check(
        &broken().plan().unwrap_err().to_text(),
        expect![[r#"
        no plan: 4 providers, 4 runnables, 4 reloadable; culprits are marked with !

        boot, by priority and name alone
          level 100 (normal)
          !  1  a          requires b (in a circle!)
          !  2  b          requires Node<4> (not registered!)
                           wants    a (in a circle!)
             3  bystander
             4  web        requires a

        problems
          MS0101: 'b' requires `Node<4>`, which is not registered
          MS0102: 2 providers need each other in a circle
    "#]],
    );
}

#[test]
fn a_broken_graph_renders_as_mermaid_with_the_culprits_marked() {
    check(
        &broken().plan().unwrap_err().to_mermaid(),
        expect![[r#"
            flowchart LR
              subgraph level100 ["level 100 (normal)"]
                n0["1 a"]:::culprit
                n1["2 b"]:::culprit
                n2["3 bystander"]
                n3["4 web"]
              end
              n0 --> n1
              n1 -.-> n0
              n3 --> n0
              m0["Node#lt;4#gt; (not registered)"]:::culprit
              n1 --> m0
              classDef culprit fill:#fdd,stroke:#c00,stroke-width:2px
              linkStyle 0,1,3 stroke:#c00,stroke-width:2px
        "#]],
    );
}

#[test]
fn a_broken_graph_renders_as_json_with_the_culprits_marked() {
    let json = broken().plan().unwrap_err().to_json();
    assert!(json.starts_with("{\n  \"possible\": false,\n"));
    assert_eq!(json.matches("\"name\": \"a\", \"type\"").count(), 1);
    assert_eq!(
        json.matches(
            "\"reloadable\": true, \"validate\": \"after_boot\", \"deadlines\": {}, \"culprit\": true"
        )
        .count(),
        2
    );
    assert_eq!(json.matches("\"culprit\": false").count(), 2);
    assert_eq!(json.matches("\"culprit\": true}").count(), 2 + 2, "two providers and two edges");
    assert!(json.contains("\"code\": \"MS0102\""));
}

/// Quotes, newlines, markup, and letters beyond ASCII.
const STRANGE: [&str; 4] = ["say \"hi\"", "two\nlines\ttab", "grüße \u{1f980} 日本", "<b>`x`</b> & #1; \\ ]"];

fn strange(last: usize) -> Registry<Log> {
    nodes([
        Spec::new(STRANGE[0]).requires(1),
        Spec::new(STRANGE[1]).requires(2),
        Spec::new(STRANGE[2]).requires(3),
        Spec::new(STRANGE[3]).requires(last),
    ])
}

#[test]
fn strange_names_render_everywhere() {
    let registry = strange(4);
    crate::support::insert(&registry, 4, Spec::new(""));
    let plan = registry.plan().unwrap();
    check(
        &plan.to_text(),
        expect![[r#"
        plan: 5 providers, 5 runnables, 5 reloadable

        boot (stopping is the reverse)
          level 100 (normal)
             1  ""
             2  <b>`x`</b> & #1; \ ]  requires ""
             3  grüße 🦀 日本            requires <b>`x`</b> & #1; \ ]
             4  two\nlines\ttab       requires grüße 🦀 日本
             5  say "hi"              requires two\nlines\ttab

        start
          level 100 (normal)
             1  ""
             2  <b>`x`</b> & #1; \ ]
             3  grüße 🦀 日本
             4  two\nlines\ttab
             5  say "hi"

        reload
          level 100 (normal)
             1  ""
             2  <b>`x`</b> & #1; \ ]
             3  grüße 🦀 日本
             4  two\nlines\ttab
             5  say "hi"
    "#]],
    );
    check(
        &plan.to_mermaid(),
        expect![[r#"
            flowchart LR
              subgraph level100 ["level 100 (normal)"]
                n0["1 "]
                n1["2 #lt;b#gt;#96;x#96;#lt;/b#gt; #amp; #35;1; #92; ]"]
                n2["3 grüße 🦀 日本"]
                n3["4 two#92;nlines#92;ttab"]
                n4["5 say #quot;hi#quot;"]
              end
              n1 --> n0
              n2 --> n1
              n3 --> n2
              n4 --> n3
        "#]],
    );
    let json = plan.to_json();
    for name in
        [r#""say \"hi\"""#, r#""two\nlines\ttab""#, "\"grüße \u{1f980} 日本\"", "\"<b>`x`</b> & #1; \\\\ ]\""]
    {
        assert!(json.contains(&format!("\"name\": {name}")), "{json}");
    }
    assert_eq!(json.lines().count(), 2 + 1 + 5 + 1 + 5, "one provider a line");
}

#[test]
fn strange_names_render_in_a_broken_graph() {
    let error = strange(0).plan().unwrap_err();
    check(
        &format!("{error}\n"),
        expect![[r#"
            MS0102: 4 providers need each other in a circle
              '<b>`x`</b> & #1; \ ]'  requires 'say "hi"'              support.rs:#
              'say "hi"'              requires 'two\nlines\ttab'       support.rs:#
              'two\nlines\ttab'       requires 'grüße 🦀 日本'            support.rs:#
              'grüße 🦀 日本'            requires '<b>`x`</b> & #1; \ ]'  support.rs:#
              cut           'grüße 🦀 日本' requires '<b>`x`</b> & #1; \ ]' (support.rs:#): look `Node<3>` up when it is used, with `require`, instead of declaring it

            1 problem; read more in docs/errors: MS0102
            nothing was started
        "#]],
    );
    let (text, mermaid, json) = (error.to_text(), error.to_mermaid(), error.to_json());
    assert_eq!(text.lines().filter(|line| line.starts_with("  ! ")).count(), 4);
    assert_eq!(mermaid.matches(":::culprit").count(), 4);
    assert_eq!(json.matches("\"culprit\": true").count(), 4 + 4);
}
