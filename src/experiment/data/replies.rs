//! From the text of a recorded reply to sequences of the catalog.

use hearth_operators::validate::check;
use hearth_operators::words::{Catalog, Row, Sequence};

/// The sequences of a reply that pass validation, whole or not at all.
pub(super) fn sequences(text: &str, catalog: &Catalog) -> Vec<Sequence> {
    read(text)
        .into_iter()
        .filter_map(|mut rows| {
            rows.iter_mut().for_each(|row| fold(row, catalog));
            check(&rows, catalog).ok()
        })
        .collect()
}

/// All of the authors' data calls the device of `None:location` `Other`, so that is what a model was shown: where the catalog
/// has no device of that name, the action decides.
fn fold([_, _, device, action]: &mut Row, catalog: &Catalog) {
    if !catalog.has_device(device)
        && let Some((named, _)) = action.split_once(':')
        && catalog.has_device(named)
    {
        named.clone_into(device);
    }
}

/// The lists of words behind the last `<seq` of a text (without one: of the whole text), four words a behaviour.
fn read(text: &str) -> Vec<Vec<Row>> {
    let answer = text.rfind("<seq").map_or(text, |at| &text[at..]);
    let (mut depth, mut words, mut sequences) = (0, Vec::<String>::new(), Vec::new());
    let mut rest = answer.chars();
    while let Some(c) = rest.next() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                // A list in the outer list ends.
                if depth == 1 && !words.is_empty() {
                    sequences.push(std::mem::take(&mut words));
                }
                if depth == 0 {
                    break;
                }
            }
            '\'' | '"' if depth > 0 => words.push(rest.by_ref().take_while(|&o| o != c).collect()),
            _ => {}
        }
    }
    let rows = |words: Vec<String>| {
        let (rows, odd) = words.as_chunks::<4>();
        odd.is_empty().then(|| rows.to_vec())
    };
    sequences.into_iter().filter_map(rows).collect()
}
