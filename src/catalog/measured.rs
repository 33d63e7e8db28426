//! Values that are measured, not chosen: `21.5`, `48 %`. A device whose actions are many different numbers is an instrument, and
//! what it shows is no behaviour.

/// More different numbers than this as actions of a device are a series of measurements. A lamp has ten levels.
pub(super) const MOST_NUMBERS: usize = 16;

/// The longest unit that may stand behind a number.
const LONGEST_UNIT: usize = 6;

/// Whether an action's name is a number, perhaps with a unit.
///
/// ```
/// use hearth::catalog::is_number;
/// assert!(["21.5", "-3", "21,5 °C", "48%", "1.2e3 lx"].into_iter().all(is_number));
/// assert!(["on", "level 3", "", "°C", "3 of 4 done"].into_iter().all(|name| !is_number(name)));
/// ```
pub fn is_number(action: &str) -> bool {
    let action = action.trim();
    let of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+');
    let mut end = action.find(|c| !of_number(c)).unwrap_or(action.len());
    let exponent = action[end..].strip_prefix(['e', 'E']).map(|rest| {
        let digits = rest.find(|c| !of_number(c)).unwrap_or(rest.len());
        end + 1 + digits
    });
    if let Some(exponent) = exponent.filter(|e| parses(&action[..*e])) {
        end = exponent;
    }
    let unit = action[end..].trim_start();
    let is_unit = |c: char| !c.is_whitespace() && !c.is_ascii_digit();
    parses(&action[..end]) && unit.chars().count() <= LONGEST_UNIT && unit.chars().all(is_unit)
}

fn parses(number: &str) -> bool {
    number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | ','))
        && number.replacen(',', ".", 1).parse::<f64>().is_ok()
}
