//! Names of requests and shifts.

use hearth_operators::words::{RequestKey, ShiftKey, WEEKDAYS};

/// The name of a request, `home/regime/weekday/part`: `h-17/0/Mon/0`.
pub fn request_id(home: &str, key: &RequestKey) -> String {
    let day = WEEKDAYS
        .get(usize::from(key.weekday))
        .map_or("?", |name| &name[..3]);
    format!("{}/{day}/{}", shift_id(home, key.shift), key.part)
}

/// The name of a shift, `home/regime`: `h-17/0`.
pub fn shift_id(home: &str, shift: ShiftKey) -> String {
    format!("{home}/{}", shift.regime)
}

/// The name of the shift that a request of this name is of; of any other text, itself.
pub fn shift_of(request: &str) -> &str {
    request.rsplitn(3, '/').nth(2).unwrap_or(request)
}
