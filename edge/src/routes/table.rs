//! The routing table: which path goes where, the longest one first.

use crate::mark::Mark;
use crate::settings::{Invalid, Reading};

/// What edge answers itself, whatever a file says.
const OWN: [&str; 3] = ["/", "/status", "/epoch"];

/// What there is without a line in a file.
const GIVEN: [(&str, To); 2] = [("/files/", To::Files), ("/demo/", To::Upstream)];

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
    /// To the upstream, with the rest of the path.
    Upstream,
    /// To a line of text.
    Text(String),
}

impl Table {
    /// Derives the table, or says all that is wrong with it.
    pub(crate) fn of(reading: &Reading) -> Result<Self, Invalid> {
        let (mut routes, mut problems) = (Vec::new(), Vec::new());
        for (path, to) in &reading.settings.routes {
            match route(path, &to.value) {
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
        for (path, to) in GIVEN {
            if routes.iter().all(|(taken, _)| taken != path) {
                routes.push((path.to_owned(), to));
            }
        }
        let said: Vec<String> =
            reading.settings.routes.iter().map(|(path, to)| format!("{path} {}", to.value)).collect();
        routes.sort_by(|(one, _), (other, _)| (other.len(), one).cmp(&(one.len(), other)));
        Ok(Self { routes, mark: Mark::new(reading.mark.of(), said.join(", ")) })
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
fn route(path: &str, to: &str) -> Result<To, String> {
    if OWN.contains(&path) {
        return Err(format!("'{path}' is answered by edge itself"));
    }
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(format!("'{path}' is not a path like /docs/"));
    }
    let to = match to.split_once(' ').unwrap_or((to, "")) {
        ("files", "") => To::Files,
        ("upstream", "") => To::Upstream,
        ("text", text) => To::Text(text.to_owned()),
        _ => return Err(format!("'{to}' is neither 'files', 'upstream' nor 'text' and a line")),
    };
    match (&to, path.ends_with('/')) {
        (To::Files | To::Upstream, false) => Err(format!("'{path}' has paths below it: it ends with a '/'")),
        (To::Text(_), true) => Err(format!("'{path}' has no paths below it: it does not end with a '/'")),
        _ => Ok(to),
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
        let table = table("files: www\nroutes:\n  /demo/on/: files\n  /hi: text hello you\n").unwrap();
        assert_eq!(table.find("/files/a/b"), Some((&To::Files, "a/b")));
        assert_eq!(table.find("/demo/a"), Some((&To::Upstream, "a")));
        assert_eq!(table.find("/demo/on/a"), Some((&To::Files, "a")));
        assert_eq!(table.find("/hi"), Some((&To::Text("hello you".to_owned()), "")));
        assert_eq!((table.find("/hi/"), table.find("/hive"), table.find("/")), (None, None, None));
    }

    #[test]
    fn what_cannot_be_is_said_with_its_place_and_all_at_once() {
        let text = "routes:\n  /status: text mine\n  /a: upstream\n  /b/: files\n  /c/: text x\n  \
                    d: text x\n  /e: there\n";
        let said = table(text).unwrap_err();
        let expected = "http.yaml:2:12 '/status' is answered by edge itself\n\
                        http.yaml:3:7 '/a' has paths below it: it ends with a '/'\n\
                        http.yaml:4:8 '/b/' goes to files, and no folder is named: set `files`\n\
                        http.yaml:5:8 '/c/' has no paths below it: it does not end with a '/'\n\
                        http.yaml:6:6 'd' is not a path like /docs/\n\
                        http.yaml:7:7 'there' is neither 'files', 'upstream' nor 'text' and a line";
        assert_eq!(said, expected);
    }
}
