//! The routing table: which path goes where, the longest one first.

use mainstay_registry::near_names;

use crate::mark::Mark;
use crate::settings::{DEMO, Invalid, Reading, Settings};

/// What edge answers itself, whatever a file says.
const OWN: [&str; 4] = ["/", "/status", "/metrics", "/epoch"];

/// The routes of one reading.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The longest path first, so that the first that fits is the one that is meant.
    routes: Vec<(String, To)>,
    /// What it was made of.
    pub(crate) mark: Mark,
}

/// Where a path goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// To the folder that is served; the rest of the path is a file in it.
    Files,
    /// To the pool of this name, with the rest of the path.
    Upstream(String),
    /// To a line of text.
    Text(String),
}

impl Table {
    /// Derives the table, or says all that is wrong with it.
    pub(crate) fn of(reading: &Reading) -> Result<Self, Invalid> {
        let (mut routes, mut problems) = (Vec::new(), Vec::new());
        for (path, to) in &reading.settings.routes {
            match route(path, &to.value, &reading.settings) {
                Ok(To::Files) if reading.settings.files.is_none() => {
                    problems.push((
                        to.place,
                        format!("'{path}' goes to files, and no folder is named: set `files`"),
                    ));
                }
                Ok(to) => routes.push((path.clone(), to)),
                Err(why) => problems.push((to.place, why)),
            }
        }
        Invalid::check(reading.origin.path(), problems)?;
        // What there is without a line in a file.
        for (path, to) in [("/files/", To::Files), ("/demo/", To::Upstream(DEMO.to_owned()))] {
            if routes.iter().all(|(taken, _)| taken != path) {
                routes.push((path.to_owned(), to));
            }
        }
        let said: Vec<String> =
            reading.settings.routes.iter().map(|(path, to)| format!("{path} {}", to.value)).collect();
        routes.sort_by(|(one, _), (other, _)| (other.len(), one).cmp(&(one.len(), other)));
        Ok(Self { routes, mark: Mark::new(reading.mark.of(), said.join(", ")) })
    }

    /// The path of the route that a path goes by.
    pub(crate) fn route<'a>(&self, path: &'a str) -> Option<&'a str> {
        self.find(path).map(|(_, rest)| &path[..path.len() - rest.len()])
    }

    /// The paths of all routes.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|(path, _)| path.as_str())
    }

    /// Where a path goes, and what of it is left there.
    pub(crate) fn find<'a>(&self, path: &'a str) -> Option<(&To, &'a str)> {
        self.routes.iter().find_map(|(route, to)| {
            let rest = path.strip_prefix(route.as_str())?;
            (rest.is_empty() || route.ends_with('/')).then_some((to, rest))
        })
    }
}

/// What one line means.
fn route(path: &str, to: &str, settings: &Settings) -> Result<To, String> {
    if OWN.contains(&path) {
        return Err(format!("'{path}' is answered by edge itself"));
    }
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(format!("'{path}' is not a path like /docs/"));
    }
    let to = match to.split_once(' ').unwrap_or((to, "")) {
        ("files", "") => To::Files,
        ("upstream", pool) if settings.upstreams.contains_key(pool) => To::Upstream(pool.to_owned()),
        ("upstream", pool) => return Err(no_pool(pool, settings)),
        ("text", text) => To::Text(text.to_owned()),
        _ => return Err(format!("'{to}' is neither 'files', 'upstream' and a pool, nor 'text' and a line")),
    };
    match (&to, path.ends_with('/')) {
        (To::Files | To::Upstream(_), false) => {
            Err(format!("'{path}' has paths below it: it ends with a '/'"))
        }
        (To::Text(_), true) => Err(format!("'{path}' has no paths below it: it does not end with a '/'")),
        _ => Ok(to),
    }
}

/// Says that there is no such pool, and which one may be meant.
fn no_pool(wanted: &str, settings: &Settings) -> String {
    let pools = || settings.upstreams.keys().map(String::as_str);
    if wanted.is_empty() {
        return format!("'upstream' takes the name of a pool: {}", pools().collect::<Vec<_>>().join(", "));
    }
    let near = near_names(wanted, pools());
    match near.as_slice() {
        [] => format!("there is no pool '{wanted}', only {}", pools().collect::<Vec<_>>().join(", ")),
        near => format!("there is no pool '{wanted}': is it {}?", near.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::reading;

    fn table(text: &str) -> Result<Table, String> {
        Table::of(&reading(text)).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn what_is_given_is_there_and_the_longest_path_wins() {
        let table = table(
            "files: www\nroutes:\n  /demo/on/: files\n  /hi: text hello you\n  /a/: upstream api\n\
                           upstreams: {api: {servers: ['api:80']}}\n",
        )
        .unwrap();
        assert_eq!(table.find("/a/b"), Some((&To::Upstream("api".to_owned()), "b")));
        assert_eq!(table.find("/files/a/b"), Some((&To::Files, "a/b")));
        assert_eq!(table.find("/demo/a"), Some((&To::Upstream("demo".to_owned()), "a")));
        assert_eq!(table.find("/demo/on/a"), Some((&To::Files, "a")));
        assert_eq!(table.find("/hi"), Some((&To::Text("hello you".to_owned()), "")));
        assert_eq!((table.find("/hi/"), table.find("/hive"), table.find("/")), (None, None, None));
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place_and_all_at_once() {
        let text = "routes:\n  /status: text mine\n  /a: upstream demo\n  /b/: files\n  /c/: text x\n  \
                    d: text x\n  /e: there\n  /f/: upstream\n  /g/: upstream dmeo\n  /h/: upstream else\n";
        let said = table(text).unwrap_err();
        let expected = "http.yaml:2:12 '/status' is answered by edge itself\n\
                        http.yaml:3:7 '/a' has paths below it: it ends with a '/'\n\
                        http.yaml:4:8 '/b/' goes to files, and no folder is named: set `files`\n\
                        http.yaml:5:8 '/c/' has no paths below it: it does not end with a '/'\n\
                        http.yaml:6:6 'd' is not a path like /docs/\n\
                        http.yaml:7:7 'there' is neither 'files', 'upstream' and a pool, nor 'text' and a line\n\
                        http.yaml:8:8 'upstream' takes the name of a pool: demo\n\
                        http.yaml:9:8 there is no pool 'dmeo': is it demo?\n\
                        http.yaml:10:8 there is no pool 'else', only demo";
        assert_eq!(said, expected);
    }
}
